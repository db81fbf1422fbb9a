import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { archiveCommand } from '../../../src/agent/watch-wal/settings.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  archivedNames,
  asServer,
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

let server: TestServer;
let world: World;

const begin = async (settings: Readonly<Record<string, string>> = {}) => {
  server = await startPostgres({ settings: { autovacuum: 'off', ...settings } });
  world = await createWorld(server);
};

afterEach(async () => {
  await Promise.all([server?.stop(), world?.remove()]);
});

const archiveTask = (more = {}) => watchTask(server, { mode: 'Archive', ...more });
const automatic = () => readFile(join(server.dataFolder, 'postgresql.auto.conf'), 'utf8');

describe('a server that does not archive', () => {
  beforeEach(() => begin({ max_wal_senders: '0', wal_level: 'minimal' }));

  test('gets its settings once, needs a restart, and they go again; nothing is reloaded in between', async () => {
    const loaded = await server.psql('SELECT pg_conf_load_time()');
    const watch = startWatch(world, archiveTask());
    const wal = await watch.until(({ setting }) => setting !== undefined);
    expect(wal.setting).toMatchObject({ state: 'RestartNeeded' });
    expect(wal.report).toMatchObject({ healthy: false, reason: 'RestartNeeded' });
    const written = await automatic();
    expect(written).toContain(`archive_command = '${archiveCommand}'`);
    expect(written).toContain("archive_mode = 'on'");
    expect(written).toContain("wal_level = 'replica'");
    await watch.stop();
    const again = startWatch(world, archiveTask());
    await again.until(({ setting }) => setting?.state === 'RestartNeeded');
    await again.stop();
    expect(await automatic()).toBe(written);
    expect(await server.psql('SELECT pg_conf_load_time()')).toBe(loaded);
    expect(await server.psql('SHOW archive_timeout')).toBe('0');

    const removal = startWatch(world, archiveTask({ mode: 'None' }));
    await removal.until(({ setting }) => setting?.state === 'Removed');
    await removal.stop();
    expect(await automatic()).not.toMatch(/archive|wal_level/);
  });

  test('a role without rights is told which to grant; with them it sets the same', async () => {
    await server.psql("CREATE ROLE watcher LOGIN PASSWORD 'secret'");
    await world.setRole('watcher', 'secret');
    const watch = startWatch(world, archiveTask());
    const wal = await watch.until(({ setting }) => setting !== undefined);
    expect(wal.setting).toMatchObject({ state: 'Refused', reason: 'MayNotAlterSystem' });
    const [grant = ''] = /GRANT ALTER SYSTEM [^;]*;/.exec(wal.setting?.message ?? '') ?? [];
    await server.psql(grant);
    await watch.until(({ setting }) => setting?.state === 'RestartNeeded');
    expect(await automatic()).toContain(`archive_command = '${archiveCommand}'`);
    await watch.stop();
    const removal = startWatch(world, archiveTask({ mode: 'None' }));
    const gone = await removal.until(({ setting }) => setting?.state === 'Removed');
    expect(gone.report).toMatchObject({ healthy: true, reason: 'Removed' });
    await removal.stop();
    expect(await automatic()).not.toContain('archive_');
  });
});

describe('another archiver', () => {
  test('is refused by name, and its settings stay', async () => {
    await begin({ archive_mode: 'on', archive_command: 'test -f %p' });
    const before = await automatic();
    const watch = startWatch(world, archiveTask());
    const wal = await watch.until(({ setting }) => setting !== undefined);
    expect(wal.setting).toMatchObject({ state: 'Refused', reason: 'ForeignArchiver' });
    expect(wal.setting?.message).toContain('test -f %p');
    await watch.stop();
    const removal = startWatch(world, archiveTask({ mode: 'None' }));
    await removal.until(({ setting }) => setting?.state === 'Removed');
    await removal.stop();
    expect(await automatic()).toBe(before);
  });
});

describe('a server that archives through the script', () => {
  beforeEach(() => begin({ archive_mode: 'on', archive_command: archiveCommand, wal_keep_size: '4GB' }));

  test('is Set; what waits, how far behind the archive is and what is missing in it are told', async () => {
    const archive = await openArchive(world, await systemIdentifierOf(server));
    const watch = startWatch(world, archiveTask());
    const idle = await watch.until(({ setting }) => setting?.state === 'Set');
    expect(idle.setting).toMatchObject({ systemIdentifier: idle.systemIdentifier, time: idle.report?.time });
    expect(idle.lagBytes).toBeUndefined();
    await writeSegments(server, 5);
    const pending = await watch.until(({ pendingSegments = 0 }) => pendingSegments >= 5);
    // There is no script on this host, so the command fails.
    expect(pending.report).toMatchObject({ healthy: false });
    await watch.until(({ report }) => report?.reason === 'ArchiveCommandFailed');

    const own = [...(await serverSegments(server.dataFolder))]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .slice(0, 5);
    const put = async (index: number) => {
      const [name, content] = own[index] ?? ['', Buffer.alloc(0)];
      await archive.put(name, content, within());
      return name;
    };
    const first = await put(0);
    const behind = await watch.until(({ lastArchivedSegment }) => lastArchivedSegment === first);
    await put(1);
    const second = await put(2);
    const closer = await watch.until(({ lastArchivedSegment }) => lastArchivedSegment === second);
    expect(BigInt(behind.lagBytes ?? 0) - BigInt(closer.lagBytes ?? 0)).toBe(2n * 16n * 1024n ** 2n);
    expect(Date.parse(closer.lastCommitTime ?? '')).toBeLessThan(Date.now());
    expect(closer.gaps).toEqual([]);

    const fifth = await put(4);
    const gapped = await watch.until(({ gaps = [] }) => gaps.length > 0);
    expect(gapped.lastArchivedSegment).toBe(fifth);
    expect(gapped.gaps).toMatchObject([{ timeline: 1, fromWal: own[3]?.[0], toWal: own[3]?.[0] }]);
    await put(3);
    await watch.until(({ gaps }) => gaps?.length === 0);

    // An object that somebody deletes is a gap as well.
    await archive.store.delete([`${archive.path}/00000001/${second}.zst`], within());
    const holed = await watch.until(({ gaps = [] }) => gaps.length > 0);
    expect(holed.gaps).toMatchObject([{ fromWal: second, toWal: second }]);
    expect(Date.parse(holed.gaps?.[0]?.fromTime ?? '')).toBeLessThanOrEqual(Date.parse(holed.gaps?.[0]?.toTime ?? ''));
    await watch.stop();
    expect(await archivedNames(archive)).toHaveLength(4);
    await archive.store.close();
  });

  test('whose role may not take the settings back is told which to grant, and nothing is said to be removed before', async () => {
    await server.psql("CREATE ROLE watcher LOGIN PASSWORD 'secret'");
    await world.setRole('watcher', 'secret');
    const removal = startWatch(world, archiveTask({ mode: 'None' }));
    const left = await removal.until(({ report }) => report !== undefined);
    expect(left.setting).toMatchObject({ state: 'Refused', reason: 'MayNotAlterSystem' });
    expect(left.report).toMatchObject({ healthy: false, reason: 'MayNotAlterSystem' });
    const [grant = ''] = /GRANT ALTER SYSTEM [^;]*;/.exec(left.report?.message ?? '') ?? [];
    await server.psql(grant);
    await removal.until(({ setting }) => setting?.state === 'Removed');
    await removal.stop();
  });

  test('another server behind the same name is refused', async () => {
    const watch = startWatch(world, archiveTask({ systemIdentifier: '4711' }));
    const wal = await watch.until(({ report }) => report !== undefined);
    expect(wal.report).toMatchObject({ healthy: false, reason: 'OtherServer' });
    expect(wal.setting).toBeUndefined();
    await watch.stop();
  });
});

test('the settings that were written are what the next start takes', async () => {
  await begin({ max_wal_senders: '0', wal_level: 'minimal' });
  const watch = startWatch(world, archiveTask());
  await watch.until(({ setting }) => setting?.state === 'RestartNeeded');
  await watch.stop();
  await asServer(server.bin, 'pg_ctl', ['-D', server.dataFolder, '-w', '-m', 'fast', 'stop']);
  const log = join(server.dataFolder, 'restart.log');
  await asServer(server.bin, 'pg_ctl', ['-D', server.dataFolder, '-w', '-l', log, 'start']);
  const again = startWatch(world, archiveTask());
  await again.until(({ setting }) => setting?.state === 'Set');
  expect(await server.psql('SHOW archive_command')).toBe(archiveCommand);
  expect(await server.psql('SHOW archive_timeout')).toBe('1min');
  // The script is in its place now, so that a new timeout is read at once.
  await again.stop();
  const other = startWatch(world, archiveTask({ archiveTimeoutSeconds: 300 }));
  await until('the new timeout', async () => (await server.psql('SHOW archive_timeout')) === '5min');
  await other.stop();
  await asServer(server.bin, 'pg_ctl', ['-D', server.dataFolder, '-w', '-m', 'fast', 'stop']);
});
