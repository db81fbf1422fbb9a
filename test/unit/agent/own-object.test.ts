import { expect, test } from 'vitest';
import { ownObject, recordScheduledRun, writeStatus } from '../../../src/agent/own-object.ts';
import { createReporter } from '../../../src/agent/report.ts';
import { backupRepositoryStatus } from '../../../src/api/backup-repository.ts';
import type { BackupTask, DeleteTask, ProbeTask, SyncTask } from '../../../src/domain/task.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient, Method, RequestOptions } from '../../../src/kube/client.ts';

const signal = new AbortController().signal;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const repository = { name: 'offsite', spec: {} } as ProbeTask['repository'];
const probe: ProbeTask = {
  action: 'probe',
  namespace: 'shop',
  repositoryObject: { name: 'offsite', uid: 'u', generation: 3 },
  repository,
};
const report = {
  outcome: 'Failed',
  reason: 'NoSuchBucket',
  message: 'no',
  startTime: 's',
  completionTime: '2026-11-21T06:00:00Z',
  pod: 'p',
};

test('a probe is told in the words of a BackupRepository, which has no report', () => {
  const { kind, shape } = ownObject(probe, { name: '' });
  expect(kind).toBe('BackupRepository');
  expect(shape({ report: { ...report, outcome: 'Running' } })).toEqual({});
  const status = shape({ report, capabilities: { conditionalPut: true } });
  expect(status).toEqual({
    capabilities: { conditionalPut: true },
    probe: { generation: 3, outcome: 'Failed', reason: 'NoSuchBucket', message: 'no', time: '2026-11-21T06:00:00Z' },
  });
  expect(backupRepositoryStatus.parse(status)).toEqual(status);
});

test('a sync that failed is told beside what an earlier one has found', () => {
  const task: SyncTask = {
    action: 'sync-catalogue',
    namespace: 'shop',
    repositoryObject: { name: 'offsite', uid: 'u', generation: 3 },
    repository,
    namespaces: ['shop'],
    limits: [],
    depth: 'Deep',
    scope: 'New',
    mayBeEmpty: false,
    place: 'here',
    requested: 'now',
    previous: { backups: 7, knownUntil: '2026-11-21T05:00:00Z', place: 'there', requested: 'before' },
  };
  const { kind, fieldManager, shape } = ownObject(task, { name: '' });
  expect([kind, fieldManager]).toEqual(['BackupRepository', 'tidemark-agent-catalogue']);
  expect(shape({ report })).toEqual({
    catalogue: { ...task.previous, generation: 3, requested: 'now', report },
  });
  expect(shape({ report: { ...report, outcome: 'Running' } })).toMatchObject({ catalogue: { requested: 'before' } });
  expect(shape({ report, catalogue: { backups: 8, place: 'here' } })).toEqual({
    catalogue: { backups: 8, place: 'here', generation: 3, requested: 'now', report },
  });
  expect(backupRepositoryStatus.parse(shape({ report }))).toEqual(shape({ report }));
});

test('a deletion says only its report, under a manager of its own, so that the backup’s facts stay', () => {
  const task: DeleteTask = {
    action: 'delete',
    namespace: 'shop',
    run: { name: 'run', uid: 'u' },
    repositories: [repository],
    backup: { backupID: 'b', path: 'p' },
  };
  const { fieldManager, shape } = ownObject(task, { name: '' });
  expect(fieldManager).toBe('tidemark-agent-delete');
  expect(shape({ report, progress: {} })).toEqual({ report });
});

interface Request {
  readonly method: Method;
  readonly path: string;
  readonly options: RequestOptions;
}

/** An API server that holds no object until one is posted. */
function emptyServer() {
  const requests: Request[] = [];
  let exists = false;
  const client: KubeClient = {
    namespace: 'shop',
    async request<Answer>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer> {
      requests.push({ method, path, options });
      if (method === 'POST' && exists) throw new ApiError(409, 'AlreadyExists', 'exists');
      if (method === 'POST') exists = true;
      else if (!exists) throw new ApiError(404, 'NotFound', 'not found');
      return { metadata: { uid: 'new' } } as Answer;
    },
    watch: () => {
      throw new Error('unexpected');
    },
    close: async () => undefined,
  };
  return { client, requests };
}

const scheduled = {
  action: 'backup',
  namespace: 'shop',
  policy: { name: 'orders', uid: 'p' },
  schedule: 'nightly',
  method: 'Logical',
  type: 'Full',
} as BackupTask & {
  schedule: string;
};

test('a scheduled Job records itself, whoever comes first', async () => {
  const { client, requests } = emptyServer();
  expect((await recordScheduledRun(client, scheduled, 'orders-nightly-1', signal))?.metadata.uid).toBe('new');
  expect((await recordScheduledRun(client, scheduled, 'orders-nightly-1', signal))?.metadata.uid).toBe('new');
  expect(requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'GET']);
  expect(requests[0]).toMatchObject({
    path: '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns',
    options: { body: { metadata: { name: 'orders-nightly-1' }, spec: { policyRef: { name: 'orders' } } } },
  });
});

test('a run that is not there yet is recorded and then written to', async () => {
  const { client, requests } = emptyServer();
  const own = ownObject(scheduled, { name: 'orders-nightly-1' });
  await writeStatus(client, own, { backupID: 'x', report }, log, signal, () =>
    recordScheduledRun(client, scheduled, 'orders-nightly-1', signal),
  );
  expect(requests.map(({ method }) => method)).toEqual(['PATCH', 'POST', 'GET', 'PATCH']);
  expect(requests.at(-1)).toMatchObject({
    path: '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/orders-nightly-1/status',
    options: {
      query: { fieldManager: 'tidemark-agent', force: true },
      body: { kind: 'BackupRun', status: { backupID: 'x', report } },
    },
  });
});

test('an object that was deleted wants no status, and nobody waits for it', async () => {
  const { client } = emptyServer();
  const own = ownObject(probe, { name: '' });
  const reporter = createReporter({
    apply: (status, writing) => writeStatus(client, own, status, log, writing),
    log,
    pod: undefined,
    startTime: new Date(),
    terminationMessage: '/dev/null',
  });
  await reporter.finish({ outcome: 'Succeeded', reason: 'Reachable', message: '' });
});
