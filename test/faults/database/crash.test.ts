import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
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
import { createWorld, startWatch, watchTask, writeSegments } from '../../postgres/watch-wal/world.ts';
import { bounded } from '../../support/faults.ts';
import { archivedFiles, exists, makeSetting, startSidecar, until } from '../../support/wal/sidecar.ts';
import { expectWhole, lastWhole } from './archive-of.ts';
import { type Breakable, startBreakable } from './breakable.ts';
import { dumping, toolsRunning, whenCopying } from './moments.ts';
import { restoreTaskFor } from './restoring.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
let server: Breakable;
let setting: Setting;

beforeAll(async () => {
  server = await startBreakable({ settings: { ...settings, max_wal_senders: '8', wal_keep_size: '4GB' } });
  await server.psql('CREATE DATABASE big');
  // Logged: it is to outlive the server's death.
  await server.psql('CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, 200000) i', 'big');
  await server.psql('CHECKPOINT');
});

beforeEach(async () => {
  setting = await createSetting(server);
  return () => setting.remove();
});

afterAll(() => server?.stop());

const ways = [
  ['is killed', (each: Breakable) => each.kill()],
  ['is restarted', (each: Breakable) => each.shutDown('SIGINT')],
] as const;

async function nothingStays(): Promise<void> {
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
  expect(await leftovers(setting)).toEqual([]);
  expect(await toolsRunning()).toBe(false);
}

const broken = /^(ConnectionLost|ConnectionRefused|ServerShutDown|ServerStarting)$/;

describe.each(ways)('a server that %s', (_, end) => {
  afterEach(async () => {
    if (!(await exists(join(server.dataFolder, 'postmaster.pid')))) await server.start();
  });

  test('in the middle of a dump: nothing of it stays, the reason is the server, the next attempt is whole', async () => {
    const task = backupTask(server, { logical: { databases: { include: ['big'] } } });
    const [result] = await Promise.allSettled([backUp(setting, task), dumping().then(() => end(server))]);
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { reason: expect.stringMatching(broken), retryable: true },
    });
    await nothingStays();
    await server.start();
    await expect(backUp(setting, task)).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
  });

  test.each(['Fetch', 'Stream'])('in the middle of a base backup with its WAL by %s: the same', async (walMethod) => {
    let ended: Promise<void> | undefined;
    const log = whenCopying(() => {
      ended = end(server);
    });
    const found = await backUpPhysically(setting, physicalTask(server, { walMethod, maxRate: '8M' }), { log });
    await ended;
    expect(found.error).toMatchObject({ reason: expect.stringMatching(broken), retryable: true });
    await nothingStays();
    await server.start();
    const again = await backUpPhysically(setting, physicalTask(server, { walMethod }));
    expect(again.error).toBeUndefined();
  });

  test('in the middle of a restore into it: said with what stays, and the next attempt begins anew', async () => {
    const { reporter } = await backUp(setting, backupTask(server, { logical: { databases: { include: ['big'] } } }));
    const task = restoreTaskFor(server, String(reporter.status.backupID), { source: 'big', target: 'again' });
    let ended: Promise<void> | undefined;
    const restore = (onStep: (step: string) => void) => {
      const quiet = () => undefined;
      const recording = recordingReporter();
      const progress: typeof recording.progress = (said) => onStep(said.step ?? '');
      return runRestore({
        task,
        log: { info: quiet, warn: quiet, error: quiet },
        signal: AbortSignal.timeout(120_000),
        folders: setting.folders,
        reporter: { ...recording, progress },
      });
    };
    const failed = await restore((step) => {
      if (step.includes('restoring data')) ended ??= end(server);
    }).catch((error: unknown) => error);
    await ended;
    expect(failed).toMatchObject({ reason: expect.stringMatching(broken), retryable: true });
    expect(await toolsRunning()).toBe(false);
    await server.start();
    await expect(restore(() => undefined)).resolves.toMatchObject({ reason: 'Restored' });
    expect(await server.psql('SELECT count(*) FROM rows', 'again')).toBe('200000');
    expect(await server.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'tidemark%'")).toBe('0');
    await server.psql('DROP DATABASE again');
  });
});

describe('a server that dies again and again', () => {
  /** Some segments have been written since it was started, and the next is. */
  const endUnderLoad = async (round: number) => {
    let written = 0;
    const load = (async () => {
      for (; ; written += 1) await writeSegments(server, 1);
    })().catch(() => undefined);
    await until('segments are written', async () => written >= 2);
    await delay(Math.random() * 300);
    await (round % 2 === 0 ? server.kill() : server.shutDown());
    await load;
  };

  test('while its WAL is streamed: the archive is the server’s own WAL without a hole', async () => {
    const world = await createWorld(server);
    const watch = startWatch(world, watchTask(server));
    await watch.until(({ report }) => report?.reason === 'Streaming');
    for (let round = 0; round < bounded(2, 12); round += 1) {
      await endUnderLoad(round);
      await watch.until(({ report }) => report?.healthy === false);
      await server.start();
      await watch.until(({ report }) => report?.reason === 'Streaming');
    }
    await writeSegments(server, 2);
    const last = await lastWhole(server);
    const wal = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= last);
    await watch.stop();
    expect(wal.gaps).toEqual([]);
    const names = await expectWhole(world, server);
    expect(names.length).toBeGreaterThanOrEqual(2 * bounded(2, 12));
    process.stdout.write(`${names.length} segments streamed over ${bounded(2, 12)} deaths of the server\n`);
    await world.remove();
    await server.psql("SELECT pg_drop_replication_slot('tidemark_shop_orders')");
  });

  test('while it archives: all that it wrote is archived, byte for byte', async () => {
    const archiving = await makeSetting();
    const sidecar = startSidecar(archiving);
    await until('the script is there', () => exists(join(archiving.spool, 'archive.sh')));
    await server.psql('ALTER SYSTEM SET archive_mode = on');
    await server.psql(`ALTER SYSTEM SET archive_command = '${archiving.command.replaceAll("'", "''")}'`);
    await server.shutDown();
    await server.start();
    for (let round = 0; round < bounded(2, 12); round += 1) {
      await endUnderLoad(round);
      await server.start();
    }
    await writeSegments(server, 1);
    const status = join(server.dataFolder, 'pg_wal/archive_status');
    await until('nothing waits', async () => !(await readdir(status)).some((name) => name.endsWith('.ready')));
    const archived = await archivedFiles(archiving.volume);
    const done = (await readdir(status)).flatMap((name) =>
      /^[0-9A-F]{24}\.done$/.test(name) ? [name.slice(0, -5)] : [],
    );
    expect(done.length).toBeGreaterThanOrEqual(2 * bounded(2, 12));
    for (const name of done) {
      const own = await readFile(join(server.dataFolder, 'pg_wal', name));
      expect(archived.get(name)?.equals(own), name).toBe(true);
    }
    await server.psql('ALTER SYSTEM RESET ALL');
    await server.shutDown();
    await sidecar.stop();
    await archiving.remove();
    await server.start();
  });
});
