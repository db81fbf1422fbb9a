import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mounts } from '../../../src/domain/mounts.ts';
import { checkSegment, readSegment } from '../../../src/domain/wal/read-segment.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { exists, makeSetting, type Setting, until, volumeRepository } from '../../support/wal/sidecar.ts';
import { type SmallServer, startServerOf } from '../../support/wal/small-segments.ts';
import { watchTask } from '../watch-wal/world.ts';
import type { Given } from './large-process.ts';

/** Segments that are as large as what the processes may have, filled with what nothing makes small. */
const megabytes = 256;
const segmentSize = megabytes * 1024 ** 2;
/** KiB. Held whole, a segment and its packed form would be twice its size. */
const most = 448 * 1024;
const endings: (() => Promise<unknown>)[] = [];
let setting: Setting;
let server: SmallServer;
let archiving: ReturnType<typeof start>;

function start(given: Given) {
  const script = fileURLToPath(new URL('./large-process.ts', import.meta.url));
  const child = execa(process.execPath, [script, JSON.stringify(given)], { reject: false });
  return {
    pid: child.pid,
    /** Its KiB at most. */
    async ended() {
      const { stdout, stderr, exitCode } = await child;
      if (exitCode !== 0) throw new Error(stderr);
      return Number(stdout);
    },
    async stop() {
      child.kill('SIGTERM');
      return this.ended();
    },
    kill: async () => void child.kill('SIGKILL'),
  };
}

beforeAll(async () => {
  setting = await makeSetting();
  endings.push(setting.remove);
  archiving = start({ kind: 'archive', root: setting.root });
  endings.push(archiving.kill);
  await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
  server = await startServerOf(megabytes, {
    archive_mode: 'on',
    archive_command: setting.command,
    checkpoint_timeout: '1h',
    max_wal_size: '2GB',
    wal_keep_size: '2GB',
  });
  endings.push(server.stop);
}, 60_000);

afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function fillSegment(): Promise<string> {
  const file = join(setting.root, 'random');
  await writeFile(file, randomBytes(200 * 1024 ** 2));
  await chmod(file, 0o644);
  await server.psql(`SELECT pg_logical_emit_message(false, 'test', pg_read_binary_file('${file}'))`);
  await server.psql('CREATE TABLE IF NOT EXISTS after_all (); DROP TABLE after_all');
  const answers = await server.psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn()); SELECT pg_switch_wal()');
  return answers.split('\n')[0] ?? '';
}

async function digest(pieces: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

async function archiveOf(policy: string) {
  const store = await openStore(volumeRepository, 0, { mountRoot: setting.root });
  endings.push(() => store.close());
  const systemIdentifier = await server.psql('SELECT system_identifier FROM pg_control_system()');
  return openWalArchive(store, { namespace: 'shop', policy, systemIdentifier });
}

const signal = AbortSignal.timeout(170_000);
const inServer = (name: string) => createReadStream(join(server.dataFolder, 'pg_wal', name));
const within = (kibibytes: number, who: string) => {
  process.stdout.write(`${who}: ${Math.round(kibibytes / 1024)} MiB at most, for segments of ${megabytes} MiB\n`);
  expect(kibibytes).toBeLessThan(most);
};

test('the sidecar archives them, the same again is there already, and replay gets them, in bounded memory', async () => {
  const name = await fillSegment();
  const done = join(server.dataFolder, 'pg_wal/archive_status', `${name}.done`);
  await until('the segment is archived', () => exists(done));
  const archive = await archiveOf('orders');
  const written = await digest(inServer(name));
  expect(await digest(archive.read(name, { signal }))).toBe(written);
  expect(await archive.put(name, { read: () => inServer(name) }, { signal })).toBe('AlreadyThere');
  within(await archiving.stop(), 'sidecar');

  const head = (await readFile(join(server.dataFolder, 'pg_wal', name))).subarray(0, segmentSize);
  const { begin, systemIdentifier } = checkSegment(head, name);
  const { lastCommitTime } = readSegment(head, name);
  expect(lastCommitTime).toBeDefined();
  expect(await archive.commitTimes(name, { signal, segmentSize })).toMatchObject({ lastCommitTime });
  const given = { root: setting.root, policy: 'orders', name, systemIdentifier, begin: String(begin), segmentSize };
  const replay = start({ kind: 'replay', ...given });
  endings.push(replay.kill);
  within(await replay.ended(), 'plan and replay');
  const served = join(setting.root, 'serve/have', name);
  expect((await stat(served)).size).toBe(segmentSize);
  expect(await digest(createReadStream(served))).toBe(written);
}, 180_000);

test('the receiver stores them in bounded memory too, and leaves no file behind', async () => {
  const credentials = join(setting.root, mounts.credentials);
  await mkdir(credentials, { recursive: true });
  await writeFile(join(credentials, 'username'), 'postgres');
  await writeFile(join(credentials, 'password'), '');
  const host = dirname(server.dataFolder);
  const task = watchTask(
    { host: '127.0.0.1', port: 5432 },
    { policy: { name: 'streamed', uid: 'u' }, repositories: [volumeRepository] },
  );
  const own = { ...task, server: { ...task.server, hosts: [host] } };
  const watching = start({ kind: 'watch', root: setting.root, credentials, task: own });
  endings.push(watching.kill);
  await until('the receiver streams', async () =>
    (await server.psql('SELECT count(*) FROM pg_stat_replication')).startsWith('1'),
  );
  const name = await fillSegment();
  const archive = await archiveOf('streamed');
  await until('the segment is stored', () => archive.has(name, { signal }));
  expect(await digest(archive.read(name, { signal }))).toBe(await digest(inServer(name)));
  const folders = (await readdir(tmpdir())).filter((found) => found.startsWith(`tidemark-wal-${watching.pid}-`));
  expect(folders).toHaveLength(1);
  within(await watching.stop(), 'receiver');
  expect(await readdir(tmpdir())).not.toContain(folders[0]);
}, 180_000);
