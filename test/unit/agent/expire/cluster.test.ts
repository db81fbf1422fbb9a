import { expect, test } from 'vitest';
import { retentionCluster } from '../../../../src/agent/expire/cluster.ts';
import { ownObject, writeStatus } from '../../../../src/agent/own-object.ts';
import { backupRepositorySpec } from '../../../../src/api/backup-repository.ts';
import { retention } from '../../../../src/api/retention.ts';
import type { ExpireTask } from '../../../../src/domain/task.ts';
import { FakeCluster } from '../../controllers/fake-cluster.ts';
import { policy, run } from '../../controllers/objects.ts';

const { signal } = new AbortController();
const task: ExpireTask = {
  action: 'expire',
  namespace: 'shop',
  policy: { name: 'orders', uid: 'uid-of-orders', generation: 1 },
  repositories: [{ name: 'store', spec: backupRepositorySpec.parse({ volume: { claimName: 'c' } }) }],
  retention: retention.parse({ keepLast: 1 }),
  timeZones: { Logical: 'Etc/UTC', Physical: 'Etc/UTC' },
  held: [],
  issuedTime: '2026-03-10T12:00:00Z',
};
const made = { run: 'by-hand', backupID: '1' };

function answering(object: unknown) {
  const fake = new FakeCluster();
  fake.answer = ({ method }) => (method === 'GET' ? object : undefined);
  return { fake, cluster: retentionCluster(fake.client, task, signal) };
}

test('what was published is that of the policy which the Job was made for', async () => {
  const status = { retention: { plannedTime: '2026-03-10T11:00:00Z' } };
  expect(await answering(policy({ status })).cluster.published()).toEqual(status.retention);
  expect(await answering(policy()).cluster.published()).toEqual({});
  const changed = answering(policy({ metadata: { generation: 2 } })).cluster.published();
  await expect(changed).rejects.toMatchObject({ reason: 'PolicyChanged' });
  const gone = { reason: 'PolicyGone' };
  await expect(answering(undefined).cluster.published()).rejects.toMatchObject(gone);
  await expect(answering(policy({ metadata: { uid: 'another' } })).cluster.published()).rejects.toMatchObject(gone);
  const going = policy({ metadata: { deletionTimestamp: '2026-03-10T12:00:00Z' } });
  await expect(answering(going).cluster.published()).rejects.toMatchObject(gone);
  const away = retentionCluster(undefined, task, signal);
  await expect(away.published()).rejects.toMatchObject({ reason: 'ClusterUnreachable' });
  await expect(away.isHeld(made)).rejects.toMatchObject({ reason: 'ClusterUnreachable' });
});

test('a hold is that of the run which made the backup, or may have', async () => {
  const held = (status?: object) =>
    answering(run({ spec: { hold: true }, ...(status === undefined ? {} : { status: { ...status } }) }));
  expect(await held({ backupID: '1' }).cluster.isHeld(made)).toBe(true);
  expect(await held().cluster.isHeld(made)).toBe(true);
  expect(await held({ backupID: '2' }).cluster.isHeld(made)).toBe(false);
  expect(await answering(run()).cluster.isHeld(made)).toBe(false);
  expect(await answering(undefined).cluster.isHeld(made)).toBe(false);
});

test('a run is told where its backup was removed, and keeps what it was told before', async () => {
  const stored = (name: string, state: string) => ({ name, state, path: 'p' });
  const repositories = [stored('first', 'Removed'), stored('store', 'Stored'), stored('third', 'Stored')];
  const { fake, cluster } = answering(run({ status: { backupID: '1', repositories } }));
  await cluster.markRemoved(made, 'store');
  expect(fake.written('/backupruns/by-hand/status')).toMatchObject({
    metadata: { uid: 'uid-of-by-hand' },
    status: {
      repositories: [
        { name: 'first', state: 'Removed' },
        { name: 'store', state: 'Removed' },
      ],
    },
  });
  const other = answering(run({ status: { backupID: '2', repositories } }));
  await other.cluster.markRemoved(made, 'store');
  await other.cluster.markRemoved({ ...made, backupID: '2' }, 'elsewhere');
  expect(other.fake.writes).toEqual([]);
});

test('a report without a plan is not written: it would take away the plan that stands there', async () => {
  const own = ownObject(task, { name: 'orders' });
  const fake = new FakeCluster();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  await writeStatus(fake.client, own, { report: { outcome: 'Running' } }, log, signal);
  expect(fake.writes).toEqual([]);
  const status = { report: { outcome: 'Running' }, retention: { plan: [] } };
  await writeStatus(fake.client, own, status, log, signal);
  expect(fake.written('/backuppolicies/orders/status')).toMatchObject({
    status: { retention: { plan: [], report: { outcome: 'Running' } } },
  });
});
