import type { TestProject } from 'vitest/node';
import { prepareEnvironment } from './environment.ts';

declare module 'vitest' {
  interface ProvidedContext {
    environment: {
      readonly kubeconfig: string;
      readonly images: Readonly<Record<string, string>>;
      readonly s3Namespace: string;
    };
  }
}

/** Before the cluster tier: the cluster, the operator and the S3 server stand, and what earlier runs left is gone. */
export default async function setup(project: TestProject): Promise<void> {
  const { cluster, kubectl, images, s3 } = await prepareEnvironment({
    log: (line) => process.stdout.write(`${line}\n`),
  });
  await kubectl.run(['delete', 'namespaces', '--selector', 'tidemark.dev/test=true', '--timeout=120s'], {
    timeoutSeconds: 130,
  });
  project.provide('environment', { kubeconfig: cluster.kubeconfig, images, s3Namespace: s3.namespace });
}
