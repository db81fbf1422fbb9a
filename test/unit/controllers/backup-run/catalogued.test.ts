import { describe, expect, test } from 'vitest';
import type { BackupRun } from '../../../../src/api/kinds.ts';
import { cataloguedStatus } from '../../../../src/controllers/backup-run/catalogued.ts';
import {
  expiredEvents,
  expiredStatus,
  isExpired,
  isFoundAgain,
  isVanished,
  restoredStatus,
} from '../../../../src/controllers/backup-run/expired.ts';
import { reconcileRun } from '../../../../src/controllers/backup-run/reconcile.ts';
import { policiesOf } from '../../../../src/controllers/caches.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { condition, now, policy, report, repository, run } from '../objects.ts';

const catalogue = { 'tidemark.dev/catalogue': 'store' };
const facts = {
  backupID: '20260101T000000Z-logical',
  repositories: [{ name: 'store', state: 'Stored', path: 'shop/orders/7/backups/x' }],
  databases: [{ name: 'shop', state: 'Stored' }],
};
const said = {
  ...report('Succeeded', 'InRepository'),
  startTime: '2026-01-01T00:00:00Z',
  completionTime: '2026-01-01T00:01:00Z',
};

function made(status: object = {}, spec: object = {}): BackupRun & { metadata: { uid: string } } {
  return run({ metadata: { labels: catalogue }, spec: { ...spec }, status: { ...facts, report: said, ...status } });
}

describe('a re-created BackupRun', () => {
  test('is over from its birth: it has the times of its backup, and never a Job', async () => {
    const cluster = new FakeCluster({ runs: [made()], policies: [policy()], repositories: [repository()] });
    await reconcileRun(cluster.context, 'shop', 'by-hand', AbortSignal.timeout(120_000));
    expect(cluster.written('by-hand/status')).toMatchObject({
      status: {
        phase: 'Completed',
        startTime: '2026-01-01T00:00:00Z',
        completionTime: '2026-01-01T00:01:00Z',
        conditions: [{ type: 'Succeeded', status: 'True', reason: 'InRepository' }],
      },
    });
    expect(cluster.writes).toEqual(['PATCH backupruns/by-hand/status']);
    expect(cluster.events).toEqual([]);
  });

  test('waits for what its agent writes, and starts nothing in its place', async () => {
    const bare = run({ metadata: { labels: catalogue } });
    const cluster = new FakeCluster({ runs: [bare], policies: [policy()], repositories: [repository()] });
    const outcome = await reconcileRun(cluster.context, 'shop', 'by-hand', AbortSignal.timeout(120_000));
    expect(outcome).toMatchObject({ requeueAfterMilliseconds: expect.any(Number) });
    expect(cluster.writes).toEqual([]);
    expect(cataloguedStatus(bare, now)).toMatchObject({ phase: 'Pending' });
  });

  test('of a backup that lacks databases is Failed, as it was', () => {
    const status = { report: { ...said, outcome: 'Failed', reason: 'DatabasesFailed', message: 'without app' } };
    expect(cataloguedStatus(made(status), now)).toMatchObject({ phase: 'Failed', error: 'without app' });
  });

  test('of another namespace belongs to no policy here', () => {
    const labels = { ...catalogue, 'tidemark.dev/origin-namespace': 'prod' };
    expect(policiesOf(made())).toEqual(['shop/orders']);
    expect(policiesOf(run({ metadata: { labels } }))).toEqual([]);
  });
});

const removed = (lost: boolean) => ({
  phase: 'Completed',
  conditions: [condition('Succeeded', 'True', 'Completed')],
  repositories: [{ name: 'store', state: 'Removed', path: 'shop/orders/7/backups/x', ...(lost ? { lost } : {}) }],
});

describe('a backup that its repository has lost', () => {
  test('takes a re-created BackupRun with it', async () => {
    const cluster = new FakeCluster({ runs: [made(removed(true))] });
    await reconcileRun(cluster.context, 'shop', 'by-hand', AbortSignal.timeout(120_000));
    expect(cluster.writes).toEqual(['DELETE backupruns/by-hand']);
  });

  test.each<[string, BackupRun]>([
    ['that is held', made(removed(true), { hold: true })],
    ['whose backup retention has deleted', made(removed(false))],
    ['that was made here', run({ status: { ...facts, ...removed(true) } })],
    [
      'whose backup another repository has',
      made({
        ...removed(true),
        repositories: [...removed(true).repositories, { name: 'b', state: 'Stored', path: 'p' }],
      }),
    ],
  ])('leaves one %s', (_, each) => {
    expect(isVanished(each)).toBe(false);
  });

  test('leaves the record of one that was made here, which says so, and a Warning', () => {
    const lost = run({ status: { ...facts, ...removed(true) } });
    expect(isExpired(lost)).toBe(true);
    expect(expiredStatus(lost, now)).toMatchObject({
      phase: 'Expired',
      conditions: [{ type: 'Succeeded' }, { type: 'Expired', status: 'True', reason: 'BackupLost' }],
    });
    expect(expiredEvents(lost)).toMatchObject([{ type: 'Warning', reason: 'BackupLost' }]);
    expect(expiredEvents(run({ status: { ...facts, ...removed(false) } }))).toEqual([]);
  });

  test('and that is there again is Completed again; what retention deleted stays so', () => {
    const back = (reason: string) =>
      run({
        status: {
          ...facts,
          phase: 'Expired',
          conditions: [condition('Succeeded', 'True', 'Completed'), condition('Expired', 'True', reason)],
        },
      });
    expect(isFoundAgain(back('BackupLost'))).toBe(true);
    expect(isFoundAgain(back('BackupExpired'))).toBe(false);
    expect(restoredStatus(back('BackupLost'))).toMatchObject({
      phase: 'Completed',
      conditions: [{ type: 'Succeeded' }],
    });
  });
});
