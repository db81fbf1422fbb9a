import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nextSegmentName, parseWalFileName, segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { type Lsn, parseLsn } from '../../../src/domain/wal/lsn.ts';
import type { WalArchive } from '../../../src/repository/wal-archive.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  archivedNames,
  createWorld,
  openArchive,
  serverSegments,
  startWatch,
  systemIdentifierOf,
  type World,
  watchTask,
  within,
  writeSegments,
} from './world.ts';

const size = 16 * 1024 ** 2;
let server: TestServer;
let world: World;
let archive: WalArchive;

beforeAll(async () => {
  // What the server wrote stays to be compared with.
  server = await startPostgres({ settings: { wal_keep_size: '4GB', autovacuum: 'off' } });
});

beforeEach(async () => {
  world = await createWorld(server);
  archive = await openArchive(world, await systemIdentifierOf(server));
  return async () => {
    await archive.store.close();
    await world.remove();
    await server.psql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  };
});

afterAll(() => server?.stop());

async function slotAt(): Promise<Lsn | undefined> {
  const text = await server.psql(
    "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'tidemark_shop_orders'",
  );
  return text.trim() === '' ? undefined : parseLsn(text.trim());
}

async function currentPosition(): Promise<Lsn> {
  return parseLsn((await server.psql('SELECT pg_current_wal_lsn()')).trim());
}

function following(name: string): string {
  const file = parseWalFileName(name);
  if (file?.kind !== 'Segment') throw new Error(`${name} is no segment`);
  return nextSegmentName(file.timeline, file.number, size);
}

/** The one that is written into; pg_walfile_name() says otherwise at a boundary. */
async function currentSegment(): Promise<string> {
  return segmentNameAt(1, await currentPosition(), size);
}

/** Every stored segment is the server's own, and none is missing between the first and `last`. */
async function expectWholeArchive(last: string): Promise<readonly string[]> {
  const names = await archivedNames(archive);
  const own = await serverSegments(server.dataFolder);
  for (const name of names) {
    const stored = await archive.get(name, within());
    expect(stored?.equals(own.get(name) ?? Buffer.alloc(0)), name).toBe(true);
  }
  const numbers = names.map(
    (name) => Number.parseInt(name.slice(16), 16) + 256 * Number.parseInt(name.slice(8, 16), 16),
  );
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  expect(names.at(-1)).toBe(last);
  return names;
}

describe('receiving WAL', () => {
  test('every segment of a load is stored byte for byte, and the slot never passes what is stored', async () => {
    const watch = startWatch(world, watchTask(server));
    await watch.until((wal) => wal.report?.reason === 'Streaming');
    await server.psql('CREATE TABLE big (i int, filler text)');
    const insert = "INSERT INTO big SELECT i, repeat('x', 700) FROM generate_series(1, 10000) i;";
    const load = server.psql(`${insert.repeat(24)} SELECT pg_switch_wal()`);
    let end: Lsn | undefined;
    void load.then(async () => {
      end = await currentPosition();
    });
    const moves = new Set<Lsn>();
    for (let acknowledged = 0n; end === undefined || acknowledged < end; ) {
      acknowledged = (await slotAt()) ?? 0n;
      const names = await archivedNames(archive);
      const [first] = names;
      if (first === undefined) continue;
      moves.add(acknowledged);
      // Whole segments that the slot has let go of were stored before.
      const open = segmentNameAt(1, acknowledged, size);
      for (let name = first; name < open; name = following(name)) expect(names).toContain(name);
    }
    await load;
    const last = segmentNameAt(1, (await currentPosition()) - BigInt(size), size);
    const wal = await watch.until(({ lastArchivedSegment }) => lastArchivedSegment === last);
    await watch.stop();
    expect(moves.size).toBeGreaterThan(2);
    const names = await expectWholeArchive(last);
    expect(names.length).toBeGreaterThan(7);
    expect(wal).toMatchObject({
      setting: { state: 'Set' },
      gaps: [],
      timeline: 1,
      segmentSize: size,
      pendingSegments: 0,
    });
    expect(wal.slot).toMatchObject({ name: 'tidemark_shop_orders', walStatus: 'reserved' });
    expect(Date.now() - Date.parse(wal.lastCommitTime ?? '')).toBeLessThan(60_000);
    expect(Number(wal.lagBytes)).toBeLessThan(size);
  });

  test('a receiver that is ended and begun again leaves no gap', async () => {
    const first = startWatch(world, watchTask(server));
    await first.until((wal) => wal.report?.reason === 'Streaming');
    await writeSegments(server, 2);
    await first.until((wal) => wal.lastArchivedSegment !== undefined);
    const load = writeSegments(server, 4);
    await first.stop();
    await load;
    const second = startWatch(world, watchTask(server));
    await second.until((wal) => wal.report?.reason === 'Streaming');
    await writeSegments(server, 1);
    const last = segmentNameAt(1, (await currentPosition()) - BigInt(size), size);
    await second.until((wal) => wal.lastArchivedSegment === last);
    await second.stop();
    await expectWholeArchive(last);
  });

  test('an open segment with a commit in it is closed after the archive timeout, and an idle server is left alone', async () => {
    const watch = startWatch(world, watchTask(server, { archiveTimeoutSeconds: 1 }));
    await watch.until((wal) => wal.report?.reason === 'Streaming');
    await server.psql('CREATE TABLE IF NOT EXISTS little (i int); INSERT INTO little VALUES (1)');
    const before = await currentSegment();
    await watch.until((wal) => wal.lastArchivedSegment === before);
    const after = await currentSegment();
    expect(after > before).toBe(true);
    // A checkpoint is no commit.
    await server.psql('CHECKPOINT');
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(await currentSegment()).toBe(after);
    await watch.stop();
  });

  test('a role that may not close segments is told what to grant, and WAL is received all the same', async () => {
    await server.psql("CREATE ROLE receiver LOGIN REPLICATION PASSWORD 'secret'");
    await world.setRole('receiver', 'secret');
    const watch = startWatch(world, watchTask(server, { archiveTimeoutSeconds: 1 }));
    await watch.until((wal) => wal.report?.reason === 'Streaming');
    await server.psql('CREATE TABLE IF NOT EXISTS little (i int); INSERT INTO little VALUES (1)');
    const wal = await watch.until(({ setting }) => setting?.reason === 'MayNotSwitchWal');
    expect(wal.setting?.message).toContain('GRANT EXECUTE ON FUNCTION pg_switch_wal() TO "receiver"');
    await writeSegments(server, 1);
    await watch.until(({ lastArchivedSegment }) => lastArchivedSegment !== undefined);
    await watch.stop();
    await server.psql('DROP ROLE receiver');
  });

  test('mode None drops the slot, once nobody receives from it, and touches no other', async () => {
    const watch = startWatch(world, watchTask(server));
    await watch.until((wal) => wal.report?.reason === 'Streaming');
    await server.psql("SELECT pg_create_physical_replication_slot('theirs')");
    const removal = startWatch(world, watchTask(server, { mode: 'None' }));
    expect(await removal.until(({ report }) => report !== undefined)).toMatchObject({
      report: { reason: 'SlotInUse' },
    });
    await watch.stop();
    await removal.until(({ setting }) => setting?.state === 'Removed');
    await removal.stop();
    expect(await server.psql('SELECT slot_name FROM pg_replication_slots')).toBe('theirs');
  });

  test('a slot that was lost is told, made anew, and the gap is named', async () => {
    const watch = startWatch(world, watchTask(server));
    await watch.until((wal) => wal.report?.reason === 'Streaming');
    await writeSegments(server, 2);
    const stored = segmentNameAt(1, (await currentPosition()) - BigInt(size), size);
    await watch.until((wal) => wal.lastArchivedSegment === stored);
    await watch.stop();
    await server.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'; ");
    await server.psql('ALTER SYSTEM SET wal_keep_size = 0');
    await server.psql('SELECT pg_reload_conf()');
    const missing = await currentSegment();
    await writeSegments(server, 4);
    await server.psql('CHECKPOINT');
    await writeSegments(server, 1);
    await server.psql('CHECKPOINT');
    expect(
      await server.psql("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'tidemark_shop_orders'"),
    ).toBe('lost');
    const again = startWatch(world, watchTask(server));
    const told = await again.until(({ report }) => report?.reason === 'SlotLost' || report?.reason === 'WalRemoved');
    expect(told.report?.healthy).toBe(false);
    await writeSegments(server, 2);
    const wal = await again.until(({ gaps }) => gaps !== undefined && gaps.length > 0);
    expect(wal.gaps).toMatchObject([{ timeline: 1 }]);
    // What the server still happens to have after the slot is lost is received yet.
    expect((wal.gaps?.[0]?.fromWal ?? '') >= missing).toBe(true);
    expect(Date.parse(wal.gaps?.[0]?.toTime ?? '')).toBeGreaterThan(Date.parse(wal.gaps?.[0]?.fromTime ?? ''));
    await again.stop();
    await server.psql('ALTER SYSTEM RESET ALL');
    await server.psql('SELECT pg_reload_conf()');
  });
});
