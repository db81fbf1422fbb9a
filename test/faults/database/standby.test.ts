import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseLsn } from '../../../src/domain/wal/lsn.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  manifestOf,
  openRepository,
  type Setting,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import {
  backUpPhysically,
  physicalManifestOf,
  physicalTask,
  settings,
} from '../../postgres/physical/physical-setting.ts';
import { createWorld, startWatch, watchTask, writeSegments } from '../../postgres/watch-wal/world.ts';
import { startPostgres } from '../../support/postgres/server.ts';
import { startServerOf } from '../../support/wal/small-segments.ts';
import { expectWhole, lastWhole } from './archive-of.ts';
import { type Breakable, startBreakable } from './breakable.ts';
import { dumping, whenCopying } from './moments.ts';
import { startService } from './service.ts';
import { type Standby, startStandby } from './standby.ts';

let primary: Breakable;
let standby: Standby;
let successor: Standby;
let setting: Setting;

beforeAll(async () => {
  const more = { max_wal_senders: '10', wal_keep_size: '1GB', autovacuum: 'off' };
  primary = await startBreakable({ settings: { ...settings, ...more } });
  await primary.psql('CREATE DATABASE big');
  await primary.psql(
    'CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, 200000) i',
    'big',
  );
  standby = await startStandby(primary, '127.0.0.2', { max_standby_streaming_delay: '0' });
  successor = await startStandby(primary, '127.0.0.3');
});

beforeEach(async () => {
  setting = await createSetting(primary);
  return () => setting.remove();
});

afterAll(async () => {
  await Promise.all([standby?.stop(), successor?.stop()]);
  await primary?.stop();
});

const dumpOf = (server: Standby) =>
  backupTask(server, { logical: { databases: { include: ['big'] } }, server: { role: 'PreferStandby' } });

/** A server that initdb made anew, and so of another system identifier. */
async function startOther() {
  const service = await startService(primary);
  const { port } = service;
  await service.stop();
  const other = await startServerOf(16, { listen_addresses: '127.0.0.1', port: String(port) });
  const psql = async (sql: string) => {
    const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
    await client.connect();
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    await client.end();
    return String(rows[0]?.[0]);
  };
  return { host: '127.0.0.1', port, psql, stop: other.stop };
}

async function isEmpty(): Promise<void> {
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
}

describe('a standby', () => {
  test('whose replay does not wait for a dump cancels it: the settings are told, and the next attempt is whole', async () => {
    const [result] = await Promise.allSettled([
      backUp(setting, dumpOf(standby)),
      dumping().then(() => primary.psql('ALTER TABLE rows ADD COLUMN one int', 'big')),
    ]);
    expect(result).toMatchObject({
      status: 'rejected',
      reason: {
        reason: 'RecoveryConflict',
        retryable: true,
        message: expect.stringMatching(/hot_standby_feedback.*max_standby_streaming_delay/),
      },
    });
    await isEmpty();
    await expect(backUp(setting, dumpOf(standby))).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
  });

  test('that lags gives a backup of what it has, which says how far that is', async () => {
    await standby.psql('SELECT pg_wal_replay_pause()');
    await writeSegments(primary, 2);
    const replayed = parseLsn(await standby.psql('SELECT pg_last_wal_replay_lsn()'));
    const { error, reporter } = await backUpPhysically(setting, physicalTask(standby, { walMethod: 'Fetch' }));
    await standby.psql('SELECT pg_wal_replay_resume()');
    expect(error).toBeUndefined();
    const store = await openRepository(setting, volumeRepository);
    const { manifest } = await physicalManifestOf(store, reporter.status);
    await store.close();
    expect(parseLsn(manifest.physical.endLSN)).toBeLessThanOrEqual(replayed);
    expect(parseLsn(await primary.psql('SELECT pg_current_wal_lsn()'))).toBeGreaterThan(replayed);
  });

  test('that is promoted goes on with a dump; a base backup with its WAL by Stream is not kept', async () => {
    await standby.catchUp();
    const own = await createSetting(primary);
    let copying = () => {};
    const begun = new Promise<void>((resolve) => {
      copying = resolve;
    });
    const physical = backUpPhysically(own, physicalTask(standby, { walMethod: 'Stream', maxRate: '8M' }), {
      log: whenCopying(copying),
    });
    await begun;
    const [dumped] = await Promise.all([backUp(setting, dumpOf(standby)), dumping().then(standby.promote)]);
    expect(dumped.outcome.reason).toBe('BackupStored');
    const kept = await openRepository(setting, volumeRepository);
    const { manifest } = await manifestOf(kept, dumped.reporter.status);
    expect(manifest.logical.databases.map(({ name }) => name)).toEqual(['big']);
    await kept.close();
    expect((await physical).error).toMatchObject({ reason: 'PromotedDuringBackup', retryable: true });
    const store = await openRepository(own, volumeRepository);
    expect((await inventory(store)).keys).toEqual([]);
    await store.close();
    await own.remove();
  });
});

describe('the WAL of a primary', () => {
  test('behind a name that leads to another server: nothing of that one is stored, and the right one goes on by itself', async () => {
    const other = await startOther();
    const copy = await startPostgres({ settings });
    const service = await startService(primary);
    const world = await createWorld(primary);
    const watch = startWatch(world, watchTask(service));
    try {
      await watch.until(({ report }) => report?.reason === 'Streaming');
      // More than the copy below has: of what neither has written nobody can tell whose it is.
      await writeSegments(primary, 2);
      const first = await lastWhole(primary);
      await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= first);
      service.leadTo(other);
      service.cut();
      const told = await watch.until(({ report }) => report?.reason === 'OtherServer');
      expect(told.report).toMatchObject({ healthy: false, message: expect.stringContaining('system identifier') });
      await writeSegments(primary, 1);
      // One that was made from the same template has the same identifier, and is an older state.
      service.leadTo(copy);
      service.cut();
      await watch.until(({ report }) => report?.reason === 'WalConflict');
      service.leadTo(primary);
      service.cut();
      await watch.until(({ report }) => report?.reason === 'Streaming');
      await writeSegments(primary, 1);
      const last = await lastWhole(primary);
      const wal = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= last);
      expect(wal.gaps).toEqual([]);
      await expectWhole(world, primary);
      for (const each of [other, copy]) {
        expect(await each.psql('SELECT count(*) FROM pg_replication_slots')).toBe('0');
      }
    } finally {
      await watch.stop();
      await service.stop();
      await Promise.all([other.stop(), copy.stop()]);
      await world.remove();
      await primary.psql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
    }
  });

  test('goes on over a failover to a server that has the slot, and the old primary is refused until it is gone', async () => {
    const world = await createWorld(primary);
    await successor.psql("SELECT pg_create_physical_replication_slot('tidemark_shop_orders', true)");
    const task = watchTask(primary);
    const hosts = [primary.host, successor.host];
    const watch = startWatch(world, { ...task, server: { ...task.server, hosts } });
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await writeSegments(primary, 2);
    const before = await lastWhole(primary);
    await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= before);
    await successor.catchUp();
    await primary.shutDown();
    await successor.promote();
    await watch.until(({ report, timeline }) => report?.reason === 'Streaming' && timeline === 2);
    await writeSegments(successor, 2);
    await watch.until(({ lastArchivedSegment }) => lastArchivedSegment?.startsWith('00000002') === true);
    expect(await successor.psql('SELECT active FROM pg_replication_slots')).toBe('t');

    // It starts exactly where its successor began, and is refused before it has written anything.
    await primary.start();
    const told = await watch.until(({ report }) => report?.reason === 'OldPrimary');
    expect(told.report).toMatchObject({ healthy: false, message: expect.stringContaining('pg_rewind') });
    await writeSegments(primary, 2);
    await primary.shutDown();
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await writeSegments(successor, 1);
    const last = await lastWhole(successor);
    const wal = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= last);
    expect(wal.gaps).toEqual([]);
    await watch.stop();
    await expectWhole(world, successor, 2);
    await world.remove();
  });
});
