import type { BackupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { placeOf } from '../../../src/domain/catalogue/place.ts';
import type { KubeClient, KubeObject } from '../../../src/kube/client.ts';
import { resourcePath } from '../../../src/kube/paths.ts';

/** How much there is in each namespace. */
export interface Crowd {
  readonly namespaces: readonly string[];
  readonly policies: number;
  readonly runsEach: number;
}

const apiVersion = 'tidemark.dev/v1alpha1';
/** As many as keep the API server busy. */
const atOnce = 48;

/** Policies whose schedule is not due, a repository that is Ready, and runs that have ended: as they look after months. */
export async function populate(client: KubeClient, crowd: Crowd): Promise<void> {
  const begun = Date.now() - 86_400_000;
  for (const namespace of crowd.namespaces) {
    await create(client, 'StatefulSet', namespace, 'orders-db', { apiVersion: 'apps/v1', spec: idleSet });
    await makeRepository(client, namespace);
  }
  const policies = crowd.namespaces.flatMap((namespace) =>
    Array.from({ length: crowd.policies }, (_, index) => ({ namespace, name: `policy-${index}` })),
  );
  await each(policies, ({ namespace, name }) => create(client, 'BackupPolicy', namespace, name, { spec: policySpec }));
  const runs = policies.flatMap(({ namespace, name }) =>
    Array.from({ length: crowd.runsEach }, (_, index) => ({ namespace, policy: name, index })),
  );
  await each(runs, async ({ namespace, policy, index }) => {
    const name = `${policy}-run-${index}`;
    const spec = { policyRef: { name: policy }, method: 'Logical', type: 'Full' };
    await create(client, 'BackupRun', namespace, name, { spec });
    await setStatus(client, 'BackupRun', namespace, name, runStatus(name, begun + index * 60_000));
  });
}

/** Everything of the crowd, by a few requests; the namespaces stay. */
export async function clear(client: KubeClient, { namespaces }: Crowd): Promise<void> {
  for (const kind of ['BackupPolicy', 'BackupRun', 'BackupRepository', 'CronJob', 'Job', 'StatefulSet'])
    for (const namespace of namespaces)
      await client.request('DELETE', resourcePath(kind, { namespace }), {
        body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
        timeout: 300_000,
      });
}

async function makeRepository(client: KubeClient, namespace: string): Promise<void> {
  const s3 = { bucket: 'nowhere', endpoint: 'http://nowhere.invalid', credentialsSecretRef: { name: 'nobody' } };
  const made = await create(client, 'BackupRepository', namespace, 'offsite', { spec: { s3 } });
  const now = new Date().toISOString();
  const { spec, metadata } = made as KubeObject & { readonly spec: BackupRepositorySpec };
  const generation = Number(metadata['generation']);
  const report = { outcome: 'Succeeded', reason: 'Synced', message: '', startTime: now, completionTime: now };
  await setStatus(client, 'BackupRepository', namespace, 'offsite', {
    probe: { generation, outcome: 'Succeeded', reason: 'ProbeSucceeded', message: 'all is well', time: now },
    catalogue: {
      ...{ generation, place: placeOf(spec), startTime: now, completionTime: now, deepTime: now },
      ...{ backups: 0, storedBytes: '0', objects: 0, report },
    },
  });
}

async function create(
  client: KubeClient,
  kind: string,
  namespace: string,
  name: string,
  object: object,
): Promise<KubeObject> {
  return await client.request('POST', resourcePath(kind, { namespace }), {
    body: { apiVersion, kind, metadata: { name, namespace }, ...object },
  });
}

async function setStatus(
  client: KubeClient,
  kind: string,
  namespace: string,
  name: string,
  status: object,
): Promise<void> {
  await client.request('PATCH', resourcePath(kind, { namespace, name, subresource: 'status' }), {
    body: { status },
    contentType: 'application/merge-patch+json',
  });
}

async function each<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const left = items.values();
  const work = async () => {
    for (const item of left) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

const idleSet = {
  serviceName: 'orders-db',
  replicas: 0,
  selector: { matchLabels: { app: 'orders-db' } },
  template: {
    metadata: { labels: { app: 'orders-db' } },
    spec: { containers: [{ name: 'postgres', image: 'localhost/nothing' }] },
  },
};

const policySpec = {
  source: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'orders-db' } },
  repositoryRefs: [{ name: 'offsite' }],
  schedules: [{ name: 'yearly', cron: '0 0 1 1 *', method: 'Logical' }],
};

function runStatus(name: string, at: number): object {
  const [startTime, completionTime] = [new Date(at).toISOString(), new Date(at + 5000).toISOString()];
  const backupID = `${startTime.replaceAll(/[-:]|\.\d+/g, '')}-logical`;
  const message = 'The backup is stored';
  return {
    phase: 'Completed',
    error: '',
    startTime,
    completionTime,
    backupID,
    jobName: name,
    checksum: `sha256:${'0'.repeat(64)}`,
    size: { source: '104857600', stored: '20971520', compressionRatio: '5.00' },
    databases: [{ name: 'shop', bytes: '104857600', storedBytes: '20971520', state: 'Stored' }],
    repositories: [{ name: 'offsite', state: 'Stored', path: `test/x/${name}/backups/${backupID}` }],
    report: { outcome: 'Succeeded', reason: 'BackupStored', message, pod: name, startTime, completionTime },
    conditions: [
      { type: 'Succeeded', status: 'True', reason: 'BackupStored', message, lastTransitionTime: completionTime },
      {
        type: 'SizeAsExpected',
        status: 'True',
        reason: 'AsBefore',
        message: 'as before',
        lastTransitionTime: completionTime,
      },
    ],
  };
}
