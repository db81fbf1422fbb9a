import type { TestProject } from 'vitest/node';
import { prepareEnvironment, testProcess } from './environment.ts';
import type { Kubectl } from './kubectl.ts';

declare module 'vitest' {
  interface ProvidedContext {
    environment: {
      readonly kubeconfig: string;
      readonly images: Readonly<Record<string, string>>;
      readonly s3Namespace: string;
      readonly hostPsql: string | undefined;
    };
  }
}

/** Before the cluster tier: the cluster, the operator and the S3 server stand, and what earlier runs left is gone. */
export default async function setup(project: TestProject): Promise<void> {
  await provideEnvironment(project);
}

export async function provideEnvironment(project: TestProject): Promise<Kubectl> {
  const { cluster, kubectl, images, s3, hostPsql } = await prepareEnvironment({
    log: (line) => process.stdout.write(`${line}\n`),
  });
  await removeLeftovers(kubectl);
  project.provide('environment', { kubeconfig: cluster.kubeconfig, images, s3Namespace: s3.namespace, hostPsql });
  return kubectl;
}

/** Namespaces of test processes that have ended; those of a run beside this one stay. */
async function removeLeftovers(kubectl: Kubectl): Promise<void> {
  const namespaces = await kubectl.list('namespaces', undefined, 'tidemark.dev/test=true');
  const left = namespaces.filter(({ metadata }) => !runs((metadata['labels'] as Record<string, string>)[testProcess]));
  if (left.length === 0) return;
  const names = left.map(({ metadata }) => metadata.name);
  await kubectl.run(['delete', 'namespaces', ...names, '--ignore-not-found', '--timeout=120s'], {
    timeoutSeconds: 130,
  });
}

function runs(pid: string | undefined): boolean {
  try {
    return pid !== undefined && process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}
