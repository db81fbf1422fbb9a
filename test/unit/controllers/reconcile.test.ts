import { describe, expect, test } from 'vitest';
import { reconcilePolicy } from '../../../src/controllers/backup-policy/reconcile.ts';
import { reconcileRepository } from '../../../src/controllers/backup-repository/reconcile.ts';
import { reconcileRun } from '../../../src/controllers/backup-run/reconcile.ts';
import { reconcileRestore } from '../../../src/controllers/restore-request/reconcile.ts';
import { writeStatus } from '../../../src/controllers/write-status.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { type Call, FakeCluster } from './fake-cluster.ts';
import { job, now, pod, policy, ready, repository, restore, run } from './objects.ts';

const signal = new AbortController().signal;
const around = { policies: [policy()], repositories: [repository({ status: ready })] };
const isCreation = ({ method, path }: Call) => method === 'POST' && path.endsWith('/jobs');
const alreadyExists = () => {
  throw new ApiError(409, 'AlreadyExists', 'there is one');
};
const refusing =
  (status: number, message: string, causes: readonly { readonly reason: string }[] = []) =>
  (call: Call) => {
    if (isCreation(call)) throw new ApiError(status, 'Refused', message, undefined, { causes });
  };
const statusWritten = (cluster: FakeCluster) =>
  (cluster.written('/status') as { readonly status: Readonly<Record<string, unknown>> } | undefined)?.status;

describe('a BackupRun', () => {
  const reconcile = (cluster: FakeCluster, name = 'by-hand') => reconcileRun(cluster.context, 'shop', name, signal);

  test('gets its account, its mark, its Job, and then its status', async () => {
    const cluster = new FakeCluster({ ...around, runs: [run()] });
    expect(await reconcile(cluster)).toBe('done');
    expect(cluster.writes).toEqual([
      'PATCH serviceaccounts/tidemark-agent',
      'PATCH rolebindings/tidemark-agent',
      'PATCH backupruns/by-hand',
      'POST jobs',
      'PATCH backupruns/by-hand/status',
    ]);
    expect(statusWritten(cluster)).toMatchObject({ phase: 'Pending', jobName: 'by-hand' });
  });

  test('fails where somebody else’s Job has its Job’s name', async () => {
    const cluster = new FakeCluster({ ...around, runs: [run()] });
    cluster.answer = (call) => {
      if (isCreation(call)) return alreadyExists();
      return call.path.endsWith('/jobs/by-hand') ? job('by-hand', { metadata: { ownerReferences: [] } }) : undefined;
    };
    expect(await reconcile(cluster)).toBe('done');
    expect(statusWritten(cluster)).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'JobNameTaken' }, { type: 'Stalled' }],
    });
    expect(cluster.events).toMatchObject([{ type: 'Warning', reason: 'JobNameTaken' }]);
  });

  test.each([
    ['is gone', new ApiError(404, 'NotFound', 'it is gone')],
    ['is another one of its name', run({ metadata: { uid: 'another' } })],
  ])('that %s, and the cache does not know, gets no Job: the API server would remove it at once', async (_, answer) => {
    const cluster = new FakeCluster({ ...around, runs: [run()] });
    cluster.answer = ({ method, path }) => {
      if (method !== 'GET' || !path.endsWith('/backupruns/by-hand')) return undefined;
      if (answer instanceof ApiError) throw answer;
      return answer;
    };
    expect(await reconcile(cluster)).toEqual({ requeueAfterMilliseconds: 2000 });
    expect(cluster.writes).not.toContain('POST jobs');
  });

  test('waits while the Job of an earlier run of its name goes, and does not take its end for its own', async () => {
    const finished = { status: { conditions: [{ type: 'Complete', status: 'True' }] } };
    const earlier = { ...job('by-hand', { owner: 'another-uid' }), ...finished };
    const word = JSON.stringify({ report: { outcome: 'Succeeded', reason: 'BackupStored', message: 'of yesterday' } });
    const terminated = { exitCode: 0, message: word };
    const old = pod('p', {
      metadata: {
        creationTimestamp: '2026-03-09T00:00:00Z',
        ownerReferences: [{ kind: 'Job', uid: earlier.metadata.uid }],
      },
      status: { phase: 'Succeeded', containerStatuses: [{ name: 'agent', state: { terminated } }] },
    });
    const cluster = new FakeCluster({ ...around, runs: [run()], jobs: [earlier], pods: [old] });
    cluster.answer = (call) => {
      if (isCreation(call)) return alreadyExists();
      return call.path.endsWith('/jobs/by-hand') ? earlier : undefined;
    };
    expect(await reconcile(cluster)).toEqual({ requeueAfterMilliseconds: 2_000 });
    expect(statusWritten(cluster)).toMatchObject({
      phase: 'Pending',
      conditions: [{ reason: 'Starting' }, { type: 'Reconciling' }],
    });
  });

  test('takes what is stored from the pod’s last words where the agent could not tell the API server', async () => {
    const databases = [{ name: 'shop', bytes: '10', storedBytes: '5', state: 'Stored' }];
    const message = JSON.stringify({
      report: { outcome: 'Succeeded', reason: 'BackupStored', message: '' },
      backupID: '20260310T115900Z-logical',
      databases,
    });
    const ended = pod('p', {
      status: {
        phase: 'Succeeded',
        containerStatuses: [{ name: 'agent', state: { terminated: { exitCode: 0, message } } }],
      },
    });
    const begun = run({ status: { jobName: 'by-hand', databases: [{ name: 'shop', state: 'Pending' }] } });
    const cluster = new FakeCluster({ ...around, runs: [begun], jobs: [job('by-hand')], pods: [ended] });
    expect(await reconcile(cluster)).toBe('done');
    expect(statusWritten(cluster)).toMatchObject({ backupID: '20260310T115900Z-logical', databases });
  });

  test('goes on with the Job that it made before a restart', async () => {
    const cluster = new FakeCluster({ ...around, runs: [run()] });
    cluster.answer = (call) => {
      if (isCreation(call)) return alreadyExists();
      return call.path.endsWith('/jobs/by-hand') ? job('by-hand') : undefined;
    };
    await reconcile(cluster);
    expect(statusWritten(cluster)).toMatchObject({ phase: 'Pending', jobName: 'by-hand' });
  });

  test('says what the API server does not take: for good, or perhaps not', async () => {
    const invalid = new FakeCluster({ ...around, runs: [run()] });
    invalid.answer = refusing(422, 'spec.template.spec.tolerations: no');
    expect(await reconcile(invalid)).toBe('done');
    expect(statusWritten(invalid)).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'JobRefused' }, { type: 'Stalled' }],
    });
    const quota = new FakeCluster({ ...around, runs: [run()] });
    quota.answer = refusing(403, 'exceeded quota: count/jobs.batch');
    expect(await reconcile(quota)).toEqual({ requeueAfterMilliseconds: 5_000 });
    expect(statusWritten(quota)).toMatchObject({
      phase: 'Pending',
      conditions: [{ reason: 'JobRefused' }, { type: 'Reconciling' }],
    });
  });

  test('that cannot be read fails, and so does one of a policy that cannot be read', async () => {
    const bad = { ...run(), spec: { policyRef: { name: 'orders' }, method: 'Magic' } };
    const unreadable = new FakeCluster({ ...around, runs: [bad] });
    expect(await reconcile(unreadable)).toBe('done');
    const { error } = statusWritten(unreadable) ?? {};
    expect(error).toContain('spec.method');
    const of = new FakeCluster({ policies: [{ ...policy(), spec: { repositoryRefs: [] } }], runs: [run()] });
    expect(await reconcile(of)).toBe('done');
    expect(statusWritten(of)).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'InvalidSpec' }, { type: 'Stalled' }],
    });
  });

  test('that has ended costs nothing', async () => {
    const cluster = new FakeCluster({ ...around, runs: [run({ status: { phase: 'Completed' } })] });
    expect(await reconcile(cluster)).toBe('done');
    expect(cluster.calls).toEqual([]);
  });

  test('whose backup cannot be removed, since its namespace goes away, is let go', async () => {
    const deleted = run({
      metadata: { deletionTimestamp: 'now', finalizers: ['tidemark.dev/stored-backup'] },
      status: { phase: 'Completed', backupID: 'b', repositories: [{ name: 'store', state: 'Stored', path: 'p' }] },
    });
    const cluster = new FakeCluster({ ...around, runs: [deleted] });
    cluster.answer = refusing(403, 'forbidden: because it is being terminated', [{ reason: 'NamespaceTerminating' }]);
    expect(await reconcile(cluster)).toBe('done');
    expect(cluster.writes.at(-1)).toBe('PATCH backupruns/by-hand');
  });
});

test('a RestoreRequest fails where somebody else’s Job has its Job’s name', async () => {
  const stored = {
    phase: 'Completed',
    backupID: '20260310T115900Z-abcdef',
    repositories: [{ name: 'store', state: 'Stored' }],
  };
  const cluster = new FakeCluster({ ...around, runs: [run({ status: stored })], restores: [restore()] });
  cluster.answer = (call) => {
    if (isCreation(call)) return alreadyExists();
    return call.path.endsWith('/jobs/restore-back') ? job('restore-back', { owner: 'x' }) : undefined;
  };
  expect(await reconcileRestore(cluster.context, 'shop', 'back', signal)).toBe('done');
  expect(statusWritten(cluster)).toMatchObject({
    phase: 'Failed',
    conditions: [{ reason: 'JobNameTaken' }, { type: 'Stalled' }],
  });
});

describe('a BackupPolicy', () => {
  test('that cannot be read says so, and is left alone', async () => {
    const cluster = new FakeCluster({ policies: [{ ...policy(), spec: { repositoryRefs: 3 } }] });
    expect(await reconcilePolicy(cluster.context, 'shop', 'orders', signal)).toBe('done');
    expect(cluster.writes).toEqual(['PATCH backuppolicies/orders/status']);
    expect(statusWritten(cluster)).toMatchObject({
      conditions: [{ type: 'Ready', status: 'False', reason: 'InvalidSpec' }, { type: 'Stalled' }],
    });
    expect(cluster.events).toMatchObject([{ type: 'Warning', reason: 'InvalidSpec' }]);
  });

  test('whose CronJob is not taken says so', async () => {
    const cluster = new FakeCluster(around);
    cluster.answer = ({ path }) => {
      if (path.includes('/cronjobs/')) throw new ApiError(422, 'Invalid', 'spec.timeZone: unknown');
    };
    expect(await reconcilePolicy(cluster.context, 'shop', 'orders', signal)).toEqual({
      requeueAfterMilliseconds: 15_000,
    });
    expect(statusWritten(cluster)).toMatchObject({
      conditions: expect.arrayContaining([expect.objectContaining({ reason: 'JobRefused' })]),
    });
  });

  test('is looked at again when its schedule fires, at the latest in ten minutes', async () => {
    expect(await reconcilePolicy(new FakeCluster(around).context, 'shop', 'orders', signal)).toEqual({
      requeueAfterMilliseconds: 600_000,
    });
  });
});

test('a BackupRepository that cannot be read says so', async () => {
  const cluster = new FakeCluster({ repositories: [{ ...repository(), spec: {} }] });
  expect(await reconcileRepository(cluster.context, 'shop', 'store', signal)).toBe('done');
  expect(statusWritten(cluster)).toMatchObject({ conditions: [{ reason: 'InvalidSpec' }, { type: 'Stalled' }] });
});

describe('a status', () => {
  const object = run({ status: { phase: 'Pending', error: '', progress: { percent: 5 } } });
  const write = (cluster: FakeCluster, status: Readonly<Record<string, unknown>>) =>
    writeStatus(cluster.context, object, ['phase', 'error', 'jobName'], status, signal);

  test('is written only where something of the operator’s differs', async () => {
    const cluster = new FakeCluster();
    expect(await write(cluster, { phase: 'Pending', error: '', jobName: undefined })).toBe(false);
    expect(cluster.calls).toEqual([]);
    expect(await write(cluster, { phase: 'Running', error: '' })).toBe(true);
    expect(await write(cluster, { phase: 'Pending' })).toBe(true);
    expect(cluster.writes).toHaveLength(2);
  });

  test('of an object that is gone is nobody’s', async () => {
    const cluster = new FakeCluster();
    cluster.answer = () => {
      throw new ApiError(404, 'NotFound', 'gone');
    };
    expect(await write(cluster, { phase: 'Running' })).toBe(false);
  });
});

test('the agents’ account is made sure of once in ten minutes', async () => {
  const cluster = new FakeCluster({
    ...around,
    runs: [run(), run({ name: 'other', metadata: { creationTimestamp: 'x' } })],
  });
  const { context } = cluster;
  const accounts = () => cluster.writes.filter((write) => write.includes('serviceaccounts')).length;
  await reconcilePolicy(context, 'shop', 'orders', signal);
  await reconcilePolicy(context, 'shop', 'orders', signal);
  expect(accounts()).toBe(1);
  await cluster.clock.advance(600_000);
  await reconcilePolicy(context, 'shop', 'orders', signal);
  expect(accounts()).toBe(2);
});

test('the agents’ account is made sure of once for all objects of a namespace, and for each that is younger than that', async () => {
  const long = { metadata: { uid: 'another', creationTimestamp: '2026-03-01T00:00:00Z' } };
  const young = { metadata: { uid: 'young', creationTimestamp: now.toISOString() } };
  const policies = [policy(), policy({ name: 'second', ...long }), policy({ name: 'young', ...young })];
  const cluster = new FakeCluster({ ...around, policies });
  const { context } = cluster;
  const accounts = () => cluster.writes.filter((write) => write.includes('serviceaccounts')).length;
  for (const name of ['orders', 'second', 'orders', 'second']) await reconcilePolicy(context, 'shop', name, signal);
  expect(accounts()).toBe(1);
  // Its namespace may be another of the same name.
  for (let look = 0; look < 3; look++) await reconcilePolicy(context, 'shop', 'young', signal);
  expect(accounts()).toBe(2);
});
