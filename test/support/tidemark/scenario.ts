import { randomBytes } from 'node:crypto';
import { afterAll, inject, onTestFailed } from 'vitest';
import { ensureCluster } from '../cluster/cluster.ts';
import { describeNamespace } from './describe-namespace.ts';
import { ensureNamespace, testProcess } from './environment.ts';
import { type Kubectl, kubectlFor, type Loose } from './kubectl.ts';
import { type PostgresOptions, type PostgresWorkload, startPostgresWorkload } from './postgres-workload.ts';
import { type S3Workload, startS3Workload } from './s3-workload.ts';
import { s3Repository } from './scenario-objects.ts';

/**
 * What a test on the real cluster has to itself: a namespace and a bucket, removed after it; on a failure the custom
 * resources, events and pod logs are printed before they go.
 */
export interface Scenario {
  readonly namespace: string;
  readonly bucket: string;
  readonly kubectl: Kubectl;
  readonly helm: string;
  readonly kubeconfig: string;
  readonly images: Readonly<Record<string, string>>;
  readonly s3: S3Workload;
  postgres(options?: Partial<PostgresOptions>): Promise<PostgresWorkload>;
  /** A BackupRepository `offsite` over the scenario's bucket, and the Secret it needs. */
  repositoryObjects(name?: string): readonly object[];
  apply(...objects: readonly object[]): Promise<void>;
  /** Waits until an object's phase is terminal, and returns the object. */
  finished(resource: string, name: string, seconds?: number): Promise<Loose>;
  /** Waits until a condition has the status (and the reason), and returns the object. */
  condition(
    resource: string,
    name: string,
    wanted: { type: string; status: string; reason?: string },
    seconds?: number,
  ): Promise<Loose>;
}

const begun: Pick<Scenario, 'kubectl' | 'namespace'>[] = [];

// Here and not in startScenario: a hook that is registered while another one runs is never called.
afterAll(async () => {
  for (const { kubectl, namespace } of begun) await removeNamespace(kubectl, namespace);
});

export async function startScenario(prefix: string): Promise<Scenario> {
  const environment = inject('environment');
  const cluster = await ensureCluster({ log: () => undefined });
  const kubectl = kubectlFor(cluster.kubectl, cluster.kubeconfig);
  const namespace = `${prefix}-${randomBytes(3).toString('hex')}`;
  await ensureNamespace(kubectl, namespace, { 'tidemark.dev/test': 'true', [testProcess]: String(process.pid) });
  begun.push({ kubectl, namespace });
  const s3 = await startS3Workload(kubectl, environment.s3Namespace, environment.images['s3'] ?? '');
  await s3.createBucket(namespace);
  return {
    namespace,
    bucket: namespace,
    kubectl,
    helm: cluster.helm,
    kubeconfig: cluster.kubeconfig,
    images: environment.images,
    s3,
    postgres: (options = {}) =>
      startPostgresWorkload(kubectl, {
        namespace,
        name: 'orders-db',
        image: environment.images['postgres-17'] ?? '',
        password: randomBytes(9).toString('base64url'),
        hostPsql: environment.hostPsql,
        ...options,
      }),
    repositoryObjects: (name = 'offsite') => [
      s3.secret(namespace, `${name}-s3`),
      s3Repository(namespace, name, s3.endpoint, namespace),
    ],
    apply: async (...objects) => {
      await kubectl.apply(objects);
    },
    finished: (resource, name, seconds = 180) =>
      kubectl.until({
        ...{ resource, name, namespace, seconds },
        to: 'to end',
        fits: ({ status }) => ['Completed', 'Failed', 'Cancelled'].includes(status?.phase ?? ''),
      }),
    condition: (resource, name, wanted, seconds = 90) =>
      kubectl.until({
        ...{ resource, name, namespace, seconds },
        to: `to have ${JSON.stringify(wanted)}`,
        fits: ({ status }) => {
          const found = status?.conditions?.find(({ type }) => type === wanted.type);
          return found?.status === wanted.status && (wanted.reason === undefined || found.reason === wanted.reason);
        },
      }),
  };
}

/** Prints what a person would look at, when the running test fails. Call it first in a test. */
export function explainFailure(scenario: Pick<Scenario, 'kubectl' | 'namespace'>): void {
  onTestFailed(async () => {
    process.stderr.write(await describeNamespace(scenario.kubectl, scenario.namespace));
  });
}

/** The operator lets go of its finalizers by itself; a namespace that stays is a defect that the last test finds. */
async function removeNamespace(kubectl: Kubectl, namespace: string): Promise<void> {
  await kubectl.run(['delete', 'namespace', namespace, '--wait=false', '--ignore-not-found']);
}
