import { expect, test } from 'vitest';
import { reconcileRepository } from '../../../../src/controllers/backup-repository/reconcile.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { repository, run } from '../objects.ts';

const { signal } = new AbortController();
const probe = { generation: 1, outcome: 'Succeeded', reason: 'Reachable', message: 'it works', time: '' };

test('a repository that has become ready has its catalogue read, and says so', async () => {
  const cluster = new FakeCluster({ repositories: [repository({ status: { probe } })] });
  await reconcileRepository(cluster.context, 'shop', 'store', signal);
  expect(cluster.written('/jobs')).toMatchObject({
    metadata: {
      name: 'catalogue-store',
      labels: { 'tidemark.dev/action': 'sync-catalogue', 'tidemark.dev/repository': 'store' },
      ownerReferences: [{ kind: 'BackupRepository', uid: 'uid-of-store' }],
    },
    spec: { backoffLimit: 0 },
  });
  expect(cluster.written('/store/status')).toMatchObject({
    status: {
      backups: 0,
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'CatalogueSynced', status: 'Unknown', reason: 'Syncing' },
      ],
    },
  });
});

test('one that is not ready only has its probe', async () => {
  const cluster = new FakeCluster({ repositories: [repository()], runs: [run()] });
  await reconcileRepository(cluster.context, 'shop', 'store', signal);
  expect(cluster.writes.filter((write) => write === 'POST jobs')).toHaveLength(1);
  expect(cluster.written('/jobs')).toMatchObject({ metadata: { name: 'probe-store-1' } });
});
