import { join } from 'node:path';
import { type Cluster, ensureCluster } from '../cluster/cluster.ts';
import { ensureDebianPackages } from '../cluster/packages.ts';
import { ensureImages, type ImageName } from '../images/build.ts';
import { binariesRoot, defaultMajor } from '../postgres/binaries.ts';
import { installTidemark } from './install.ts';
import { giveOperatorBackIfAway } from './installed-operator.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { type S3Workload, startS3Workload } from './s3-workload.ts';

/** All that a scenario on the real cluster stands on: the cluster, the images in it, the operator, an S3 server. */
export interface Environment {
  readonly cluster: Cluster;
  readonly kubectl: Kubectl;
  readonly images: Readonly<Record<string, string>>;
  readonly s3: S3Workload;
  /** psql, where this host reaches the cluster's pods. */
  readonly hostPsql: string | undefined;
}

export interface EnvironmentOptions {
  readonly log: (line: string) => void;
  readonly images?: readonly ImageName[];
  readonly s3Namespace?: string;
}

/** On a test's namespace: the process that made it. Once that has ended, nobody else will remove the namespace. */
export const testProcess = 'tidemark.dev/test-process';

export const standardImages: readonly ImageName[] = ['operator', 'agent', 'postgres-17', 's3'];

/** Idempotent, and quick where everything stands. The cluster and the images are made side by side. */
export async function prepareEnvironment({
  log,
  images = standardImages,
  s3Namespace = 'tidemark-test-s3',
}: EnvironmentOptions): Promise<Environment> {
  const { cluster, references } = await prepareCluster({ log, images });
  const kubectl = kubectlFor(cluster.kubectl, cluster.kubeconfig);
  await ensureNamespace(kubectl, s3Namespace);
  const s3Image = references['s3'] ?? '';
  await giveOperatorBackIfAway(kubectl);
  const [s3] = await Promise.all([
    startS3Workload(kubectl, s3Namespace, s3Image),
    installTidemark({
      ...{ kubectl, helm: cluster.helm, kubeconfig: cluster.kubeconfig, images: references, log },
      values: ['ui.enabled=true'],
    }),
  ]);
  return { cluster, kubectl, images: references, s3, hostPsql: await ensureHostPsql(cluster, log) };
}

export async function prepareCluster({
  log,
  images,
}: {
  readonly log: (line: string) => void;
  readonly images: readonly ImageName[];
}): Promise<{ readonly cluster: Cluster; readonly references: Readonly<Record<string, string>> }> {
  const [cluster, built] = await Promise.all([ensureCluster({ log }), ensureImages(images, { log })]);
  for (const { reference, archive } of built) {
    if (await cluster.hasImage(reference)) continue;
    log(`Loading ${reference} into the cluster`);
    await cluster.loadImage(archive);
  }
  return { cluster, references: Object.fromEntries(built.map(({ name, reference }) => [name, reference])) };
}

async function ensureHostPsql({ way }: Cluster, log: (line: string) => void): Promise<string | undefined> {
  if (way !== 'host') return undefined;
  await ensureDebianPackages([`postgresql-client-${defaultMajor}`], log);
  return join(binariesRoot, String(defaultMajor), 'bin/psql');
}

/** A namespace in which only pods of the restricted Pod Security Standard may run. */
export async function ensureNamespace(
  kubectl: Kubectl,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  await kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted', ...labels } },
    },
  ]);
}
