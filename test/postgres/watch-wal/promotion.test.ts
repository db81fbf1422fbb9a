import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseTimelineHistory } from '../../../src/domain/wal/timeline-history.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  archivedNames,
  asServer,
  createWorld,
  openArchive,
  serverSegments,
  startWatch,
  systemIdentifierOf,
  watchTask,
  within,
  writeSegments,
} from './world.ts';

const standbyHost = '127.0.0.2';
let primary: TestServer;
let stopPrimary: () => Promise<void>;
let standby: Awaited<ReturnType<typeof startStandby>>;

beforeAll(async () => {
  primary = await startPostgres({ settings: { wal_keep_size: '4GB', autovacuum: 'off', full_page_writes: 'on' } });
  let stopped: Promise<void> | undefined;
  stopPrimary = () => {
    stopped ??= primary.stop();
    return stopped;
  };
  standby = await startStandby(primary);
});

afterAll(async () => {
  await Promise.all([stopPrimary?.(), standby?.stop()]);
});

/** On the same port of another address, as the pods of a workload are. */
async function startStandby(from: TestServer) {
  const { uid, gid } = await serverAccount();
  const folder = await mkdtemp(join(await runFolder(), 'standby-'));
  await execa('chown', [`${uid}:${gid}`, folder]);
  const data = join(folder, 'data');
  const conninfo = `host=${from.host} port=${from.port} user=${from.superuser} password=${from.password}`;
  await asServer(from.bin, 'pg_basebackup', [
    '-D',
    data,
    '-d',
    conninfo,
    '-X',
    'stream',
    '-c',
    'fast',
    '-R',
    '--no-sync',
  ]);
  const settings = `listen_addresses = '${standbyHost}'\nunix_socket_directories = '${folder}'\nhot_standby = on\n`;
  await appendFile(join(data, 'postgresql.conf'), settings);
  await writeFile(join(folder, 'log'), '');
  await execa('chown', [`${uid}:${gid}`, join(folder, 'log')]);
  await asServer(from.bin, 'pg_ctl', ['-D', data, '-w', '-l', join(folder, 'log'), 'start']);
  const psql = async (sql: string) => {
    const env = { PGHOST: folder, PGPORT: String(from.port), PGUSER: from.superuser, PGPASSWORD: from.password };
    const args = ['-X', '-q', '-A', '-t', '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-c', sql];
    return (await execa(join(from.bin, 'psql'), args, { env })).stdout;
  };
  return {
    dataFolder: data,
    psql,
    promote: () => asServer(from.bin, 'pg_ctl', ['-D', data, '-w', 'promote']),
    stop: async () => {
      await asServer(from.bin, 'pg_ctl', ['-D', data, '-w', '-m', 'fast', 'stop']);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test('a promoted standby is followed to its new timeline: history first, the old tail, then the new segments', async () => {
  const world = await createWorld(primary);
  const archive = await openArchive(world, await systemIdentifierOf(primary));
  const task = watchTask(primary);
  const hosts = [primary.host, standbyHost];
  const watch = startWatch(world, { ...task, server: { ...task.server, hosts } });
  await watch.until(({ report }) => report?.reason === 'Streaming');
  await writeSegments(primary, 2);
  await primary.psql('CREATE TABLE last_words AS SELECT 1 AS one');
  const position = (await primary.psql('SELECT pg_current_wal_lsn()')).trim();
  while ((await standby.psql(`SELECT pg_last_wal_replay_lsn() >= '${position}'`)) !== 't');
  await watch.until(({ lastArchivedSegment }) => lastArchivedSegment !== undefined);
  await stopPrimary();
  await standby.promote();
  await watch.until(({ report, timeline }) => report?.reason === 'Streaming' && timeline === 2);
  await writeSegments(standby, 2);
  const wal = await watch.until(({ lastArchivedSegment }) => lastArchivedSegment?.startsWith('00000002') === true);
  await watch.stop();

  expect(wal.gaps).toEqual([]);
  const history = await archive.get('00000002.history', within());
  const [ancestor] = parseTimelineHistory(history?.toString('utf8') ?? '');
  expect(ancestor?.timeline).toBe(1);
  const [old, young] = [await archivedNames(archive, 1), await archivedNames(archive, 2)];
  const partial = old.at(-1) ?? '';
  expect(partial).toMatch(/[.]partial$/);
  // The child's copy of that segment begins with the very same bytes.
  expect(young[0]?.slice(8)).toBe(partial.slice(8, 24));
  const own = await serverSegments(standby.dataFolder);
  for (const name of young) {
    expect((await archive.get(name, within()))?.equals(own.get(name) ?? Buffer.alloc(0)), name).toBe(true);
  }
  const fork = Number((ancestor?.end ?? 0n) % BigInt(16 * 1024 ** 2));
  const tail = await archive.get(partial, within());
  const copy = own.get(young[0] ?? '');
  expect(tail?.subarray(0, fork).equals(copy?.subarray(0, fork) ?? Buffer.alloc(0))).toBe(true);
  await archive.store.close();
  await world.remove();
});
