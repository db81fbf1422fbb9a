import { expect, test } from 'vitest';
import { surplusRuns } from '../../../../src/controllers/backup-policy/surplus-runs.ts';
import { decideDeletion } from '../../../../src/controllers/backup-run/deletion.ts';
import { expiredStatus, isExpired } from '../../../../src/controllers/backup-run/expired.ts';
import { reconcileRun } from '../../../../src/controllers/backup-run/reconcile.ts';
import { storedBackupFinalizer } from '../../../../src/domain/labels.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { agent, condition, now, policy, repository, run } from '../objects.ts';

const { signal } = new AbortController();
const removed = { name: 'store', state: 'Removed', path: 'shop/orders/7/backups/1' };
const completed = {
  phase: 'Completed',
  backupID: '1',
  completionTime: '2026-03-01T00:00:00Z',
  conditions: [condition('Succeeded', 'True', 'BackupStored')],
};

test.each([
  ['removed everywhere', { ...completed, repositories: [removed] }, true],
  [
    'there in one repository',
    { ...completed, repositories: [removed, { ...removed, name: 'b', state: 'Stored' }] },
    false,
  ],
  ['never stored', { ...completed, phase: 'Failed' }, false],
  ['expired before', { ...completed, phase: 'Expired', repositories: [removed] }, false],
])('a run whose backup is %s', (_, status, expected) => {
  expect(isExpired(run({ status }))).toBe(expected);
});

test('it becomes Expired beside how it ended, and its object is no reason for another deletion', async () => {
  const stored = run({ status: { ...completed, repositories: [removed] } });
  const cluster = new FakeCluster({ runs: [stored] });
  await reconcileRun(cluster.context, 'shop', 'by-hand', signal);
  expect(cluster.written('/backupruns/by-hand/status')).toMatchObject({
    status: {
      phase: 'Expired',
      completionTime: '2026-03-01T00:00:00Z',
      conditions: [
        { type: 'Succeeded', status: 'True', reason: 'BackupStored' },
        { type: 'Expired', status: 'True', reason: 'BackupExpired' },
      ],
    },
  });
  const finalizers = [storedBackupFinalizer];
  const going = run({
    spec: { deletionPolicy: 'Delete' },
    metadata: { finalizers, deletionTimestamp: '2026-03-10T12:00:00Z' },
    status: { ...stored.status, ...expiredStatus(stored, now) },
  });
  const parts = { job: undefined, activePods: [], deleteJob: undefined, repositories: [repository()], agent };
  expect(decideDeletion({ run: going, ...parts })).toMatchObject({ create: undefined, finalizers: [] });
});

test('an expired run gives way to those that can be restored', () => {
  const at = (name: string, phase: string, completionTime: string) => run({ name, status: { phase, completionTime } });
  const runs = [
    at('expired', 'Expired', '2026-03-09T00:00:00Z'),
    at('monthly', 'Completed', '2026-01-01T00:00:00Z'),
    at('newest', 'Completed', '2026-03-10T00:00:00Z'),
  ];
  const limited = policy({ spec: { historyLimits: { succeeded: 2, failed: 1 } } });
  expect(surplusRuns(limited, runs).map(({ metadata }) => metadata.name)).toEqual(['expired']);
});
