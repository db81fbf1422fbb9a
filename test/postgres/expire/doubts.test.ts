import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestName } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { hour, system } from './manifest-of.ts';
import { createWorld, lookInto, pathOf, type World, wal } from './world.ts';

const signal = () => AbortSignal.timeout(120_000);
let world: World;
const { has, segments, planned } = lookInto(() => world);

afterEach(() => world?.remove());

describe('in doubt nothing is deleted', () => {
  const rules = { keepLast: 1, minBackups: 1 };
  let old: Manifest;
  let last: Manifest;
  beforeEach(async () => {
    world = await createWorld();
    old = await world.backUp(30, { segment: 2 });
    last = await world.backUp(3, { segment: 8 });
    await world.archiveWal(1, 1, 9);
    await world.expire(rules);
    expect(planned(old)?.action).toBe('Delete');
  });
  const stays = async () => {
    expect([await has(old), await has(last), (await segments()).length]).toEqual([true, true, 9]);
    expect(planned(old)?.action, 'the plan is still told').toBe('Delete');
  };
  const put = (key: string, body = 'something') =>
    world.store.put(key, Buffer.from(body), { ifAbsent: false, signal: signal() });
  const due = { later: hour + 5000 };

  it('a manifest that cannot be read', async () => {
    await put(`shop/orders/${system}/backups/20200101T000000Z-logical/${manifestName}`, '{"format": 99}');
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'UnreadableManifest' });
    await stays();
  });

  it('an object among the WAL that nobody knows', async () => {
    await put(`${wal}/00000001/000000010000000000000003.zst.copy`);
    const said = await world.expire(rules, due);
    expect(said).toMatchObject({ failed: true, reason: 'UnknownObject' });
    expect(said.message).toContain('000000010000000000000003.zst.copy');
    await stays();
  });

  it('an object in the backup’s folder that its manifest does not name', async () => {
    await put(`${pathOf(old)}/notes.txt`);
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'UnknownObject' });
    await stays();
  });

  it('a folder of another kind beside the servers', async () => {
    await put('shop/orders/exports/a.csv');
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'UnknownObject' });
    await stays();
  });

  it('a history file that is missing or damaged', async () => {
    await world.archiveWal(2, 9, 10);
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'HistoryMissing' });
    await put(`${wal}/history/00000002.history`, 'what?');
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'DamagedHistory' });
    await stays();
  });

  it('a clock that went back, and one that went ahead', async () => {
    expect(await world.expire(rules, { later: -hour })).toMatchObject({ failed: true, reason: 'ClockWentBack' });
    const issuedTime = new Date().toISOString();
    const ahead = await world.expire(rules, { later: 40 * 24 * hour, task: { issuedTime } });
    expect(ahead).toMatchObject({ failed: true, reason: 'ClockDiffers' });
    await stays();
  });

  it('a cluster that does not answer', async () => {
    world.cluster.unreachable = true;
    expect(await world.expire(rules, due)).toMatchObject({ failed: true, reason: 'ClusterUnreachable' });
    await stays();
  });

  it('rules that let nothing go', async () => {
    expect(await world.expire({ minBackups: 1, keepLast: 0 }, due)).toMatchObject({ failed: true, reason: 'NoRule' });
    await stays();
  });

  it('the newest backup, gone since the listing', async () => {
    world.cluster.isHeld = async () => {
      await world.store.delete([`${pathOf(last)}/${manifestName}`], { signal: signal() });
      return false;
    };
    const said = await world.expire(rules, due);
    expect(said).toMatchObject({ failed: true, reason: 'NewestGone' });
    expect(said.message).toContain(last.backupID);
    await stays();
  });

  it('backups that vanished: all waits anew', async () => {
    await world.backUp(60, { segment: 1 });
    await world.expire(rules, { later: 1000 });
    await world.store.delete([`${pathOf(last)}/${manifestName}`], { signal: signal() });
    await world.expire({ ...rules, recoveryWindow: '1d' }, due);
    expect(await has(old)).toBe(true);
    expect((await segments()).length).toBe(9);
  });
});
