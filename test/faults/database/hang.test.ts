import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { whileAnswering } from '../../../src/agent/while-answering.ts';
import { readAccess } from '../../../src/postgres/access.ts';
import { chooseServer } from '../../../src/postgres/choose-server.ts';
import { withConnection } from '../../../src/postgres/query.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  leftovers,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import { backUpPhysically, physicalTask, settings } from '../../postgres/physical/physical-setting.ts';
import { createWorld, quickPace, startWatch, watchTask, writeSegments } from '../../postgres/watch-wal/world.ts';
import { bounded } from '../../support/faults.ts';
import { type Breakable, freezeProcess, startBreakable } from './breakable.ts';
import { dumping, toolsRunning, whenCopying } from './moments.ts';
import { restoreTaskFor } from './restoring.ts';
import { type Service, startService } from './service.ts';

const patience = { every: 200, answer: 500, silence: 2000 };
/** Far more than the patience, and far less than for ever. */
const bound = 45_000;
let server: Breakable;
let setting: Setting;
let goOn: (() => void) | undefined;

beforeAll(async () => {
  server = await startBreakable({ settings: { ...settings, max_wal_senders: '8', wal_keep_size: '1GB' } });
  await server.psql('CREATE DATABASE big');
  await server.psql(
    'CREATE UNLOGGED TABLE rows AS SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, 300000) i',
    'big',
  );
  await server.psql('CREATE TABLE more AS SELECT i FROM generate_series(1, 200000) i', 'big');
});

beforeEach(async () => {
  setting = await createSetting(server);
  return () => setting.remove();
});

afterEach(() => {
  goOn?.();
  goOn = undefined;
});

afterAll(() => server?.stop());

async function nothingStays(): Promise<void> {
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
  expect(await leftovers(setting)).toEqual([]);
  expect(await toolsRunning()).toBe(false);
}

async function within<Result>(work: Promise<Result>): Promise<PromiseSettledResult<Result>> {
  const begun = performance.now();
  const [result] = await Promise.allSettled([work]);
  expect(performance.now() - begun).toBeLessThan(bound);
  return result;
}

async function freezeAt(moment: Promise<unknown>): Promise<void> {
  await moment;
  goOn = await server.freeze();
}

describe('a server that hangs without closing a connection', () => {
  test.each((['Directory', 'Custom'] as const).slice(0, bounded(1, 2)))(
    'ends a dump in format %s, and the next one is whole',
    async (format) => {
      const logical = { format, databases: { include: ['big'] }, ...(format === 'Directory' ? { jobs: 2 } : {}) };
      const task = backupTask(server, { logical });
      const [result] = await Promise.all([within(backUp(setting, task, { patience })), freezeAt(dumping(format))]);
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { reason: 'ServerSilent', retryable: true, message: expect.stringContaining('it hangs') },
      });
      await nothingStays();
      goOn?.();
      await expect(backUp(setting, task, { patience })).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
    },
  );

  test.each(['Stream', 'Fetch'].slice(0, bounded(1, 2)))('ends a base backup with its WAL by %s', async (walMethod) => {
    const task = physicalTask(server, { walMethod, maxRate: '4M' });
    let frozen: Promise<void> | undefined;
    const log = whenCopying(() => {
      frozen = freezeAt(Promise.resolve());
    });
    const result = await within(backUpPhysically(setting, task, { patience, log }));
    await frozen;
    expect(result).toMatchObject({ value: { error: { reason: 'ServerSilent', retryable: true } } });
    await nothingStays();
  });

  test('ends a restore, which says what became of the target, and the next attempt brings it back whole', async () => {
    const { reporter } = await backUp(setting, backupTask(server, { logical: { databases: { include: ['big'] } } }));
    const task = restoreTaskFor(server, String(reporter.status.backupID), { source: 'big', target: 'again' });
    let frozen: Promise<void> | undefined;
    const restore = (onStep: (step: string) => void) => {
      const recording = recordingReporter();
      const progress: typeof recording.progress = (said) => onStep(said.step ?? '');
      const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
      const signal = AbortSignal.timeout(120_000);
      const { folders } = setting;
      return runRestore({ task, log, signal, folders, serverPatience: patience, reporter: { ...recording, progress } });
    };
    const result = await within(
      restore((step) => {
        if (step.includes('restoring data')) frozen ??= freezeAt(Promise.resolve());
      }),
    );
    await frozen;
    expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'ServerSilent', retryable: true } });
    expect(await toolsRunning()).toBe(false);
    goOn?.();
    await expect(restore(() => undefined)).resolves.toMatchObject({ reason: 'Restored' });
    expect(await server.psql('SELECT count(*) FROM rows', 'again')).toBe('300000');
    expect(await server.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'tidemark%'")).toBe('0');
    await server.psql('DROP DATABASE again');
  });

  test('is told by the watcher, and the WAL goes on without a gap when it is over', async () => {
    const world = await createWorld(server);
    const watch = startWatch(world, watchTask(server), { ...quickPace, quiet: { ask: 300, dead: 1500 } });
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await freezeAt(writeSegments(server, 1));
    const told = await watch.until(({ report }) => report?.reason === 'ConnectionTimedOut');
    expect(told.report).toMatchObject({ healthy: false, message: expect.stringContaining('hangs') });
    goOn?.();
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await writeSegments(server, 2);
    const end = await server.psql('SELECT pg_walfile_name(pg_current_wal_lsn() - 16777216)');
    const wal = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= end);
    expect(wal.gaps).toEqual([]);
    await watch.stop();
    await world.remove();
    await server.psql("SELECT pg_drop_replication_slot('tidemark_shop_orders')");
  });

  test('is given up by whoever asks it something', async () => {
    const access = await readAccess(backupTask(server).server, 'shop', setting.folders.access);
    const signal = AbortSignal.timeout(120_000);
    const asking = withConnection(
      access,
      'postgres',
      signal,
      async (query) => {
        await query('SELECT 1');
        await freezeAt(Promise.resolve());
        return query('SELECT 2');
      },
      { statementTimeout: 500 },
    );
    const choosing = asking.catch(() => undefined).then(() => chooseServer(backupTask(server).server, access, signal));
    expect(await within(asking)).toMatchObject({
      status: 'rejected',
      reason: { reason: 'ConnectionTimedOut', retryable: true },
    });
    expect(await within(choosing)).toMatchObject({ status: 'rejected', reason: { reason: 'ConnectionTimedOut' } });
  });
});

describe('one process of the server that hangs, while the others answer', () => {
  const freezeOf = async (sql: string) => {
    const pid = Number(await server.psql(sql));
    expect(pid).toBeGreaterThan(0);
    goOn = freezeProcess(pid);
  };

  test('ends the base backup that it sends', async () => {
    let frozen: Promise<void> | undefined;
    const log = whenCopying(() => {
      frozen = freezeOf('SELECT pid FROM pg_stat_progress_basebackup');
    });
    const task = physicalTask(server, { walMethod: 'Fetch', maxRate: '4M' });
    const result = await within(backUpPhysically(setting, task, { patience, log }));
    await frozen;
    expect(result).toMatchObject({
      value: { error: { reason: 'ServerSilent', message: expect.stringContaining('has sent nothing more') } },
    });
    await nothingStays();
  });

  test('ends the base backup whose WAL it sends', async () => {
    let frozen: Promise<void> | undefined;
    const log = whenCopying(() => {
      frozen = (async () => {
        let pid = '';
        while (pid === '') pid = await server.psql("SELECT pid FROM pg_stat_replication WHERE state = 'streaming'");
        goOn = freezeProcess(Number(pid));
      })();
    });
    const task = physicalTask(server, { walMethod: 'Stream', maxRate: '2M' });
    const result = await within(backUpPhysically(setting, task, { patience, log }));
    await frozen;
    expect(result).toMatchObject({
      value: { error: { reason: 'ServerSilent', message: expect.stringContaining('has sent no WAL') } },
    });
    await nothingStays();
  });

  test('is told by the watcher, which takes the stream up again without a gap', async () => {
    const world = await createWorld(server);
    const watch = startWatch(world, watchTask(server), { ...quickPace, quiet: { ask: 300, dead: 1500 } });
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await freezeOf("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'tidemark_shop_orders'");
    // It still holds the slot, and only a person can know that it hangs.
    const told = await watch.until(({ report }) => report?.reason === 'SlotInUse');
    expect(told.report).toMatchObject({ healthy: false, message: expect.stringContaining('pg_terminate_backend') });
    goOn?.();
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await writeSegments(server, 1);
    const end = await server.psql('SELECT pg_walfile_name(pg_current_wal_lsn() - 16777216)');
    const wal = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= end);
    expect(wal.gaps).toEqual([]);
    await watch.stop();
    await world.remove();
  });
});

describe('a network that loses everything', () => {
  let service: Service;

  beforeEach(async () => {
    service = await startService(server);
    return () => service.stop();
  });

  test('ends a dump', async () => {
    const logical = { databases: { include: ['big'] } };
    const task = backupTask(server, { logical, server: { port: service.port } });
    const lose = dumping().then(() => service.swallow());
    const [result] = await Promise.all([within(backUp(setting, task, { patience })), lose]);
    expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'ServerSilent', retryable: true } });
    await nothingStays();
  });

  test.each([
    ['that only lets no new connection through, while the work goes on', 'NewConnections', true],
    ['of which only the work itself does not hear', 'Everything', false],
  ] as const)('%s', async (_, what, moves) => {
    const access = await readAccess(backupTask(server).server, 'shop', setting.folders.access);
    service.swallow(what);
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const context = {
      task: backupTask(server),
      reporter: recordingReporter(),
      log,
      signal: AbortSignal.timeout(120_000),
    };
    const begun = performance.now();
    const work = whileAnswering(
      context,
      { access: { ...access, port: service.port }, database: 'postgres' },
      async ({ signal, reporter }) => {
        for (let bytes = 0; performance.now() - begun < 2 * patience.silence; bytes += 1) {
          if (moves) reporter.progress({ bytesDone: String(bytes) });
          signal.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        return 'done';
      },
      patience,
    );
    if (moves) await expect(work).resolves.toBe('done');
    else await expect(work).rejects.toMatchObject({ reason: 'ServerSilent' });
  });
});
