import { expect, test } from 'vitest';
import { reconcileVerification } from '../../../../src/controllers/verification/reconcile.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { policy, recovery, run } from '../objects.ts';

const signal = new AbortController().signal;
// The fake clock's noon.
const verification = { cron: '0 12 * * *' };
const since = { schedule: '0 12 * * * Etc/UTC', since: '2026-03-10T11:00:00Z' };
const source = policy({
  spec: {
    schedules: [{ name: 'base', cron: '0 1 * * *', method: 'Physical' }],
    walArchiving: { mode: 'Stream' },
    verification,
  },
  status: { verification: since },
});
const base = run({
  name: 'base',
  spec: { method: 'Physical' },
  status: { phase: 'Completed', backupID: '20260310T010000Z-physical-full', startTime: '2026-03-10T01:00:00Z' },
});
const trial = (status: object) =>
  recovery({
    name: 'orders-verify-29552400',
    metadata: {
      creationTimestamp: '2026-03-10T12:00:00Z',
      labels: { 'tidemark.dev/verification': 'orders' },
      annotations: { 'tidemark.dev/scheduled-time': '2026-03-10T12:00:00Z' },
      ownerReferences: [
        { apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupPolicy', name: 'orders', uid: source.metadata.uid },
      ],
    },
    spec: { target: { ephemeral: {} } },
    status: { ...status },
  });
const reconcile = (fake: FakeCluster) => reconcileVerification(fake.context, { policy: source, runs: [base] }, signal);
const lists = ({ method, path }: { readonly method: string; readonly path: string }) =>
  method === 'GET' && /(pitrrecoveries|restorerequests)$/.test(path) ? { items: [] } : undefined;

test('what is due is made, and told', async () => {
  const fake = new FakeCluster();
  fake.answer = lists;
  const outcome = await reconcile(fake);
  expect(fake.writes).toEqual(['POST pitrrecoveries']);
  expect(fake.written('/pitrrecoveries')).toMatchObject({ metadata: { name: 'orders-verify-29552400' } });
  expect(fake.events).toMatchObject([{ reason: 'VerificationStarted' }]);
  expect(outcome.facts.verification).toMatchObject({ ...since, nextTime: '2026-03-11T12:00:00Z' });
});

test('one that the cache has not heard of is no reason for a second', async () => {
  const fake = new FakeCluster();
  fake.answer = ({ method, path }) =>
    method === 'GET' && path.endsWith('pitrrecoveries')
      ? { items: [{ ...trial({ phase: 'Checking' }), kind: undefined, apiVersion: undefined }] }
      : lists({ method, path });
  await reconcile(fake);
  expect(fake.writes).toEqual([]);
});

test('one that the API server does not take is said in the condition', async () => {
  const fake = new FakeCluster();
  fake.answer = (call) => {
    if (call.method === 'POST') throw new ApiError(403, 'Forbidden', 'exceeded quota');
    return lists(call);
  };
  expect((await reconcile(fake)).conditions).toMatchObject([
    { type: 'Verified', status: 'Unknown', message: expect.stringMatching(/exceeded quota/) },
  ]);
});

test('what was found bad is marked under a name of its own, told, and replaced', async () => {
  const failed = {
    phase: 'Failed',
    completionTime: '2026-03-10T12:00:00Z',
    plan: { backupID: '20260310T010000Z-physical-full' },
    conditions: [
      { type: 'Succeeded', status: 'False', reason: 'VerificationFailed', message: 'damaged', lastTransitionTime: '' },
    ],
  };
  const fake = new FakeCluster({ recoveries: [trial(failed)] });
  const outcome = await reconcile(fake);
  expect(fake.writes).toEqual(['PATCH backupruns/base/status', 'POST backupruns']);
  expect(fake.written('backupruns/base/status')).toMatchObject({
    status: { conditions: [{ type: 'Verified', status: 'False' }] },
  });
  expect(fake.written('/backupruns')).toMatchObject({
    metadata: { name: 'orders-verify-physical-29552400' },
    spec: { method: 'Physical', type: 'Full' },
  });
  expect(fake.events.map(({ reason }) => reason)).toEqual([
    'VerificationFailed',
    'VerificationFailed',
    'NewFullBackup',
  ]);
  expect(outcome.conditions).toMatchObject([{ status: 'False', reason: 'VerificationFailed' }]);
});
