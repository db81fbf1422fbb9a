import { describe, expect, test } from 'vitest';
import { reconcileRun } from '../../../src/controllers/backup-run/reconcile.ts';
import { reconcileRestore } from '../../../src/controllers/restore-request/reconcile.ts';
import { FakeCluster } from './fake-cluster.ts';
import { job, pod, policy, ready, report, repository, restore, run } from './objects.ts';

const signal = new AbortController().signal;
const closed = { conditions: [{ type: 'Complete', status: 'True' }] };
const stored = {
  phase: 'Completed',
  backupID: 'b',
  repositories: [{ name: 'store', state: 'Stored', path: 'p' }],
  report: report('Succeeded'),
};
const kinds = [
  {
    kind: 'BackupRun',
    world: (status: object = { report: report('Running') }) => ({
      runs: [run({ status: { jobName: 'by-hand', ...status } })],
      jobs: [{ ...job('by-hand'), status: closed }],
    }),
    path: '/backupruns/by-hand',
    changed: run({ metadata: { resourceVersion: '2' } }),
    reconcile: (cluster: FakeCluster) => reconcileRun(cluster.context, 'shop', 'by-hand', signal),
  },
  {
    kind: 'RestoreRequest',
    world: (status: object = { report: report('Running') }) => ({
      runs: [run({ status: stored })],
      restores: [restore({ status: { jobName: 'restore-back', ...status } })],
      jobs: [{ ...job('restore-back', { owner: 'uid-of-back' }), status: closed }],
    }),
    path: '/restorerequests/back',
    changed: restore({ metadata: { resourceVersion: '2' } }),
    reconcile: (cluster: FakeCluster) => reconcileRestore(cluster.context, 'shop', 'back', signal),
  },
];

/** Each kind has a watch of its own: a Job's end may be here before what its agent has said. */
describe.each(kinds)(
  'a $kind whose Job completed, and of whose agent no word is here',
  ({ world, path, changed, reconcile }) => {
    const clusterOf = (objects: object) =>
      new FakeCluster({ policies: [policy()], repositories: [repository({ status: ready })], ...objects });
    const statusWritten = (cluster: FakeCluster) =>
      (cluster.written('/status') as { readonly status: object } | undefined)?.status;

    test.each([
      ['the status has changed', (asked: string) => (asked.endsWith(path) ? changed : undefined)],
      ['a pod has changed', (asked: string) => (asked.endsWith('/pods') ? { items: [pod('p')] } : undefined)],
    ])('is not judged while %s at the API server', async (_, answer) => {
      const cluster = clusterOf(world());
      cluster.answer = ({ method, path: asked }) => (method === 'GET' ? answer(asked) : undefined);
      expect(await reconcile(cluster)).toEqual({ requeueAfterMilliseconds: 500 });
      expect(statusWritten(cluster)).toBeUndefined();
      expect(cluster.events).toEqual([]);
    });

    test('has failed where the API server knows no more either', async () => {
      const cluster = clusterOf(world());
      expect(await reconcile(cluster)).toBe('done');
      expect(statusWritten(cluster)).toMatchObject({ phase: 'Failed' });
      expect(cluster.events).toMatchObject([{ type: 'Warning', reason: 'NoReport' }]);
    });

    test('asks nobody where the word is here', async () => {
      const cluster = clusterOf(world({ ...stored, phase: 'Running' }));
      await reconcile(cluster);
      expect(cluster.calls.filter(({ path: asked }) => asked.endsWith('/pods'))).toEqual([]);
      expect(statusWritten(cluster)).toMatchObject({ phase: 'Completed' });
    });
  },
);
