import { expect, test } from 'vitest';
import { reconcileRetention } from '../../../../src/controllers/retention/reconcile.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { job, pod, policy, ready, report, repository, restore } from '../objects.ts';

const { signal } = new AbortController();
const plannedTime = '2026-03-10T10:00:00Z';
const retention = {
  generation: 1,
  plannedTime,
  nextDueTime: '2026-03-10T11:00:00Z',
  deleted: [
    { run: 'old', backupID: '1', repository: 'store', bytes: '7', time: plannedTime, reason: 'no rule keeps it' },
  ],
  report: { ...report('Succeeded', 'Applied'), pod: 'expire-orders-x' },
};
const surroundings = {
  policy: policy({ spec: { retention: { keepLast: 1 } }, status: { retention } }),
  repositories: [repository({ status: ready })],
  account: undefined,
  runs: [],
};
const owners = [{ apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupPolicy', name: 'orders', uid: 'uid-of-orders' }];
const labels = { 'batch.kubernetes.io/job-name': 'expire-orders' };
const ended = {
  ...job('expire-orders', {
    metadata: { ownerReferences: owners, annotations: { 'tidemark.dev/policy-generation': '1' } },
  }),
  status: { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: plannedTime }] },
};
const itsPod = pod('expire-orders-x', { metadata: { labels }, status: { phase: 'Succeeded' } });

test('a Job that ended is told and makes room; the next is made when it is gone', async () => {
  const cluster = new FakeCluster({ jobs: [ended], pods: [itsPod] });
  const outcome = await reconcileRetention(cluster.context, surroundings, signal);
  expect(cluster.events.map(({ reason }) => reason)).toEqual(['BackupExpired']);
  expect(cluster.writes).toEqual(['PATCH jobs/expire-orders', 'DELETE jobs/expire-orders']);
  expect(outcome).toMatchObject({ lookAgain: 2000, conditions: [{ status: 'True', reason: 'Applied' }] });

  const after = new FakeCluster({ policies: [surroundings.policy] });
  await reconcileRetention(after.context, surroundings, signal);
  expect(after.writes).toEqual(['POST jobs']);
  expect(after.events).toEqual([]);
});

test('while a restore of the namespace runs no Job is made, and one that ended is no hindrance', async () => {
  const busy = new FakeCluster({ restores: [restore({ status: { phase: 'Running' } })] });
  await reconcileRetention(busy.context, surroundings, signal);
  expect(busy.writes).toEqual([]);
  const ended = [restore({ status: { phase: 'Completed' } })];
  const idle = new FakeCluster({ policies: [surroundings.policy], restores: ended });
  await reconcileRetention(idle.context, surroundings, signal);
  expect(idle.writes).toEqual(['POST jobs']);
});
