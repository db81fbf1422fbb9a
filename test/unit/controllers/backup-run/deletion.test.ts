import { describe, expect, test } from 'vitest';
import { decideDeletion, type GatheredDeletion } from '../../../../src/controllers/backup-run/deletion.ts';
import { reconcileRun } from '../../../../src/controllers/backup-run/reconcile.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import { type Call, FakeCluster } from '../fake-cluster.ts';
import { agent, ended, foundJob, pod, repository, run } from '../objects.ts';

const both = ['tidemark.dev/running-job', 'tidemark.dev/stored-backup', 'other/finalizer'];
const stored = {
  phase: 'Completed',
  backupID: '20260310T115900Z-abcdef',
  repositories: [{ name: 'store', state: 'Stored', path: 'shop/orders/x' }],
};

function gathered(parts: Partial<GatheredDeletion> = {}): GatheredDeletion {
  return {
    run: run({ metadata: { finalizers: both }, status: stored }),
    job: undefined,
    activePods: [],
    deleteJob: undefined,
    repositories: [repository()],
    agent,
    ...parts,
  };
}

test('a Job that runs is removed first, and its pods are waited for', () => {
  const first = decideDeletion(gathered({ job: foundJob('by-hand') }));
  expect(first).toMatchObject({ removeJob: true, create: undefined, finalizers: both });
  expect(decideDeletion(gathered({ activePods: [pod('p')] }))).toMatchObject({ removeJob: false, finalizers: both });
});

test('then the stored backup is removed by a Job of its own', () => {
  const decision = decideDeletion(gathered({ job: foundJob('by-hand', { finished: ended('Complete') }) }));
  expect(decision.create).toMatchObject({
    metadata: { name: 'delete-by-hand', ownerReferences: [{ kind: 'BackupRun', uid: 'uid-of-by-hand' }] },
    spec: { ttlSecondsAfterFinished: 300 },
  });
  expect(decision.finalizers).toEqual(both.slice(1));
});

test('which is waited for', () => {
  const decision = decideDeletion(gathered({ deleteJob: foundJob('delete-by-hand') }));
  expect(decision).toMatchObject({ create: undefined, finalizers: both.slice(1), events: [] });
});

test('and after which the object goes', () => {
  const decision = decideDeletion(gathered({ deleteJob: foundJob('d', { finished: ended('Complete') }) }));
  expect(decision.finalizers).toEqual(['other/finalizer']);
  expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'StoredBackupDeleted' }]);
});

test('a backup that could not be removed keeps the object, and a person is told how to let it go', () => {
  const termination = { outcome: 'Failed', reason: 'AccessDenied', message: 'may not delete' } as const;
  const pods = [{ name: 'p', phase: 'Failed', createdAt: '', termination }];
  const decision = decideDeletion(gathered({ deleteJob: foundJob('d', { finished: ended('Failed'), pods }) }));
  expect(decision.finalizers).toEqual(both.slice(1));
  expect(decision.events).toMatchObject([{ type: 'Warning', reason: 'StoredBackupNotDeleted' }]);
  expect(decision.events[0]?.note).toContain('may not delete');
  expect(decision.events[0]?.note).toContain(
    'kubectl annotate backuprun -n shop by-hand tidemark.dev/abandon-stored-backup=true',
  );
});

test('a repository that is gone keeps the object too', () => {
  const decision = decideDeletion(gathered({ repositories: [undefined] }));
  expect(decision).toMatchObject({ create: undefined, finalizers: both.slice(1) });
  expect(decision.events[0]?.note).toContain('BackupRepository shop/store does not exist');
});

test.each([
  [
    'annotated as abandoned',
    { metadata: { finalizers: both, annotations: { 'tidemark.dev/abandon-stored-backup': 'true' } }, status: stored },
  ],
  ['without a stored backup', { metadata: { finalizers: both }, status: { phase: 'Failed' } }],
  [
    'whose backup is to be kept',
    { metadata: { finalizers: ['tidemark.dev/running-job', 'other/finalizer'] }, status: stored },
  ],
])('a run %s goes at once', (_, parts) => {
  const decision = decideDeletion(gathered({ run: run(parts) }));
  expect(decision).toMatchObject({ finalizers: ['other/finalizer'], create: undefined, events: [] });
});

test.each([
  ['says hold', { hold: true }, false, 'set it to false'],
  ['said hold, and the repository says so still', { hold: false }, true, 'stands in the repository still'],
])('a backup whose run %s stays, and a person is told', (_, spec, held, words) => {
  const status = { ...stored, repositories: [{ ...stored.repositories[0], held }] };
  const decision = decideDeletion(gathered({ run: run({ metadata: { finalizers: both }, spec, status }) }));
  expect(decision).toMatchObject({ create: undefined, finalizers: both.slice(1) });
  expect(decision.events).toMatchObject([{ type: 'Warning', reason: 'StoredBackupNotDeleted' }]);
  expect(decision.events[0]?.note).toContain(words);
});

describe('a held run that is deleted', () => {
  const held = run({
    metadata: { finalizers: both, deletionTimestamp: '2026-03-10T11:59:59Z' },
    spec: { hold: true, deletionPolicy: 'Delete' },
    status: stored,
  });
  const reconciled = async (answer: FakeCluster['answer']) => {
    const cluster = new FakeCluster({ runs: [held] });
    cluster.answer = answer;
    await reconcileRun(cluster.context, 'shop', 'by-hand', AbortSignal.timeout(120_000));
    return cluster;
  };
  const finalizers = (value: readonly string[]) => expect.objectContaining({ path: '/metadata/finalizers', value });
  const refusing = (message: string) => (call: Call) => {
    if (call.path.endsWith('/jobs')) throw new ApiError(message.includes('terminated') ? 403 : 422, 'Refused', message);
    return undefined;
  };

  test('waits, and a person is told, while its namespace is there', async () => {
    const cluster = await reconciled(refusing('spec.template is invalid'));
    expect(cluster.events).toMatchObject([{ reason: 'StoredBackupNotDeleted' }]);
    expect(cluster.written('/by-hand')).toContainEqual(finalizers(both.slice(1)));
  });

  test('is let go with its namespace, which would else never be gone', async () => {
    const cluster = await reconciled(refusing('unable to create new content because it is being terminated'));
    expect(cluster.events).toEqual([]);
    expect(cluster.written('/by-hand')).toContainEqual(finalizers(['other/finalizer']));
  });
});
