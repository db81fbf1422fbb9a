import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { manifestName } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { putVerdict } from '../../../src/repository/verdicts.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { hour, system } from './manifest-of.ts';
import { createWorld, lookInto, pathOf, type World, wal } from './world.ts';

const signal = () => AbortSignal.timeout(120_000);
let server: S3Server;
let buckets = 0;
let world: World;
const inS3 = async () => {
  buckets += 1;
  const bucket = `expire-${buckets}`;
  await server.createBucket(bucket);
  return createWorld({ server, bucket });
};
const { has, segments, planned } = lookInto(() => world);

beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.stop());
afterEach(() => world?.remove());

describe.each([
  ['a volume', () => createWorld()],
  ['an S3 server', inS3],
])('in %s', (_, make) => {
  let old: Manifest;
  let base: Manifest;
  let last: Manifest;
  beforeEach(async () => {
    world = await make();
    old = await world.backUp(30, { segment: 2 });
    base = await world.backUp(20, { segment: 5 });
    last = await world.backUp(3, { segment: 8 });
    await world.archiveWal(1, 1, 9);
    await world.archive.put('00000002.history', Buffer.from('1\t0/8800000\tno recovery target specified\n'), {
      signal: signal(),
    });
  });
  const window = { recoveryWindow: '14d', minBackups: 1 };

  it('plans, waits an hour, and only then deletes what the window does not need', async () => {
    expect(await world.expire(window)).toMatchObject({ reason: 'Applied', failed: false });
    const { plan = [], wal: planWal, repositories } = world.cluster.status;
    expect(plan.map(({ run, action, reason }) => [run, action, reason])).toEqual([
      ['run-1', 'Delete', 'outside recoveryWindow, and no other rule keeps it'],
      ['run-3', 'Keep', 'newest, recoveryWindow, minBackups'],
      ['run-2', 'Keep', 'recoveryWindow begins after it'],
    ]);
    expect(planWal).toMatchObject([{ timeline: 1, before: '000000010000000000000005', segments: 4 }]);
    expect(repositories).toMatchObject([{ backups: 3, keep: 2, delete: 1, walSegments: 4 }]);
    await world.expire(window, { later: hour / 2 });
    expect(await has(old)).toBe(true);
    expect(await segments()).toHaveLength(9);
    const { dueTime } = planned(old) ?? {};
    // As beside encrypted WAL.
    const indexOf = (number: number) => `${wal}/index/00000001/00000001000000000000000${number}.json`;
    for (const number of [4, 5])
      await world.store.put(indexOf(number), Buffer.from('{}'), { ifAbsent: true, signal: signal() });

    const said = await world.expire(window, { later: hour + 5000 });
    expect(dueTime).toBeDefined();
    expect(said.message).toMatch(/^Deleted 1 backup and 4 WAL segments .* 2 backups stay; nothing is to go now/);
    expect(await has(old)).toBe(false);
    expect([await has(base), await has(last)]).toEqual([true, true]);
    expect(await segments()).toEqual([5, 6, 7, 8, 9].map((number) => `00000001000000000000000${number}.zst`));
    expect(await world.keys()).toContain(`${wal}/history/00000002.history`);
    expect((await world.keys()).filter((key) => key.includes('/index/'))).toEqual([indexOf(5)]);
    expect(world.cluster.removed).toEqual(['run-1']);
    expect(world.cluster.status).toMatchObject({
      deleted: [{ run: 'run-1', backupID: old.backupID, repository: 'store' }],
      pruned: { segments: 4 },
      repositories: [{ backups: 2, delete: 0, walSegments: 0 }],
    });
    expect(world.cluster.status.nextDueTime).toBeUndefined();
    expect(await world.expire(window, { later: hour * 2 })).toMatchObject({ reason: 'Applied' });
    expect(world.cluster.removed).toEqual(['run-1']);
  });

  it('rests on nothing that the repository says is bad, and deletes it with its mark when its time has come', async () => {
    const found = { time: new Date().toISOString(), by: 'orders-verify-1', namespace: 'shop' };
    await putVerdict(world.store, pathOf(last), 'Bad', found, signal());
    await putVerdict(world.store, pathOf(old), 'Bad', found, signal());
    await putVerdict(world.store, pathOf(base), 'Good', found, signal());
    const rules = { minBackups: 1, keepLast: 1 };
    await world.expire(rules);
    expect(planned(base)?.action).toBe('Keep');
    expect(planned(old)?.action).toBe('Delete');
    await world.expire(rules, { later: hour + 5000 });
    expect([await has(old), await has(base)]).toEqual([false, true]);
  });

  it('lets a hold stop what was planned, and keeps the WAL with it', async () => {
    await world.expire(window);
    const { held } = world.cluster;
    // After the Job was made: its task does not know.
    held.add(old.backupID);
    await world.expire(window, { later: hour + 5000, task: { held: [] } });
    expect(await has(old)).toBe(true);
    expect((await segments()).at(0)).toBe('000000010000000000000002.zst');
    expect(planned(old)).toMatchObject({ action: 'Keep', reason: 'hold' });
    held.clear();
    await world.expire(window, { later: hour * 2 });
    expect(await has(old), 'it waits anew').toBe(true);
    await world.expire(window, { later: hour * 3 + 5000 });
    expect(await has(old)).toBe(false);
  });

  it('deletes nothing in a dry run, nor as soon as it is none any more', async () => {
    expect(await world.expire({ ...window, dryRun: true })).toMatchObject({ reason: 'DryRun' });
    expect(planned(old)).toMatchObject({ action: 'WouldDelete' });
    await world.expire({ ...window, dryRun: true }, { later: hour + 5000 });
    await world.expire(window, { later: hour * 2 });
    expect([await has(old), (await segments()).length]).toEqual([true, 9]);
    await world.expire(window, { later: hour * 3 + 5000 });
    expect([await has(old), (await segments()).length]).toEqual([false, 5]);
  });

  it('does not delete what a later plan keeps', async () => {
    await world.expire(window);
    await world.expire({ ...window, keepLast: 3 }, { later: hour + 5000 });
    expect([await has(old), (await segments()).length]).toEqual([true, 8]);
  });

  it('finishes and says what a Job before it has deleted that was killed', async () => {
    await world.expire(window);
    await world.store.delete([`${pathOf(old)}/${manifestName}`], { signal: signal() });
    await world.expire(window, { later: hour + 5000 });
    expect(world.cluster.removed).toEqual(['run-1']);
    expect(world.cluster.status.deleted).toMatchObject([{ run: 'run-1' }]);
    expect(await segments(), 'a backup is gone that nobody said: the WAL waits anew').toHaveLength(9);
    await world.expire(window, { later: hour * 2 + 10_000 });
    expect(await segments()).toHaveLength(5);
  });
});

describe('what is incomplete', () => {
  it('never replaces a complete backup, and goes when one is newer', async () => {
    world = await createWorld();
    const old = await world.backUp(9, { method: 'Logical' });
    const partial = await world.backUp(5, { method: 'Logical', failed: 'billing' });
    const rules = { keepLast: 1, minBackups: 0 };
    await world.expire(rules);
    await world.expire(rules, { later: hour + 5000 });
    expect([await has(old), await has(partial)]).toEqual([true, true]);
    const whole = await world.backUp(1, { method: 'Logical' });
    await world.expire(rules, { later: hour + 6000 });
    await world.expire(rules, { later: hour * 2 + 12_000 });
    expect([await has(old), await has(partial), await has(whole)]).toEqual([false, false, true]);
  });

  it('a backup that is being made is none, and is left alone', async () => {
    world = await createWorld();
    const old = await world.backUp(9, { method: 'Logical' });
    const begun = `shop/orders/${system}/backups/20261121T031500Z-logical`;
    await world.store.put(`${begun}/started.json`, Buffer.from('{}'), { ifAbsent: true, signal: signal() });
    await world.expire({ keepLast: 1 });
    await world.expire({ keepLast: 1 }, { later: hour + 5000 });
    expect(await has(old)).toBe(true);
    expect(await world.keys()).toContain(`${begun}/started.json`);
  });
});

it('a segment’s .partial and .backup go with it', async () => {
  world = await createWorld();
  await world.backUp(3, { segment: 8 });
  const put = (name: string) => world.archive.put(name, Buffer.alloc(10), { signal: signal() });
  await put('000000010000000000000007.partial');
  await put('000000010000000000000006.00000028.backup');
  await put('000000010000000000000008.00000028.backup');
  await world.archiveWal(1, 6, 8);
  await world.expire({ keepLast: 1 });
  await world.expire({ keepLast: 1 }, { later: hour + 5000 });
  expect(await segments()).toEqual(['000000010000000000000008.00000028.backup.zst', '000000010000000000000008.zst']);
});
