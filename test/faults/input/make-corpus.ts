import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { indexOf } from '../../../src/repository/wal-index.ts';
import { backUp, backupTask, createSetting, openRepository, volumeRepository } from '../../postgres/backup/setting.ts';
import { backUpPhysically, physicalTask } from '../../postgres/physical/physical-setting.ts';
import { openAzure, startAzurite } from '../../support/azure/server.ts';
import { openGcs, startGcsServer } from '../../support/gcs/server.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { binariesRoot } from '../../support/postgres/binaries.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { openS3 } from '../../support/s3/open.ts';
import { startS3Server } from '../../support/s3/server.ts';

/**
 * Makes the corpus anew, by real servers and tools: `node test/faults/input/make-corpus.ts`. It is kept in the repository so
 * that a fault that a seed finds is found again on every machine; nobody needs to run this but who adds to it.
 */
const root = join(import.meta.dirname, 'corpus');
const run = promisify(execFile);
const signal = AbortSignal.timeout(600_000);

async function keep(name: string, bytes: Buffer | string, most = 24_576): Promise<void> {
  const path = join(root, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, Buffer.from(bytes).subarray(0, most));
}

process.env.TIDEMARK_POSTGRESQL_ROOT ??= binariesRoot;
const server = await startPostgres({
  major: 15,
  settings: { wal_level: 'replica', max_wal_senders: '4', full_page_writes: 'on' },
});
const folder = await mkdtemp(join(await runFolder(), 'corpus-'));
await chmod(folder, 0o755);
try {
  await server.psql(`create database "Odd Name"; create role "o'clock" login;`);
  await dumps(server);
  await physical(server);
  await manifests(server);
  await packed();
  await stores();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

function environment({ host, port, superuser, password }: TestServer, database = 'postgres') {
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: superuser,
    PGPASSWORD: password,
    PGDATABASE: database,
    LC_ALL: 'C',
  };
}

async function dumps(from: TestServer): Promise<void> {
  await from.psql(
    `create schema s; create table s.t (id int primary key, note text default 'it''s'); insert into s.t select g, 'x' || g from generate_series(1, 50) g; create function s.f(a int, b text) returns int language sql as $$ select a $$; comment on table s.t is 'a; comment -- here'; grant select on s.t to "o'clock"; create view s."V w" as select * from s.t; create index on s.t (note);`,
  );
  const tool = (name: string) => join(from.bin, name);
  const env = environment(from);
  for (const [format, name] of [
    ['c', 'custom'],
    ['t', 'tar'],
  ] as const)
    await run(tool('pg_dump'), [`-F${format}`, '-f', join(folder, name)], { env });
  await run(tool('pg_dump'), ['-Fd', '-f', join(folder, 'directory')], { env });
  await keep('archives/custom.pgdump', await readFile(join(folder, 'custom')));
  await keep('archives/directory-toc.dat', await readFile(join(folder, 'directory/toc.dat')));
  await keep('archive-files/dump.tar', await readFile(join(folder, 'tar')), 65_536);
  await keep('lists/contents.list', (await run(tool('pg_restore'), ['--list', join(folder, 'custom')])).stdout);
  for (const [name, args] of [
    ['plain.sql', []],
    ['plain-clean.sql', ['--clean', '--if-exists', '--create']],
    ['plain-inserts.sql', ['--inserts']],
  ] as const)
    await keep(`scripts/${name}`, (await run(tool('pg_dump'), [...args], { env })).stdout);
  await keep('globals/globals.sql', (await run(tool('pg_dumpall'), ['--globals-only'], { env })).stdout);
  const said = async (name: string, args: readonly string[], more: object = {}) =>
    (await execa(tool(name), [...args], { env: { ...env, ...more }, reject: false })).stderr;
  await keep(
    'tool-output/pg_restore.stderr',
    await said('pg_restore', ['--verbose', '--dbname=postgres', join(folder, 'custom')]),
  );
  await keep('tool-output/pg_dump.stderr', await said('pg_dump', ['--table=nowhere']));
  await keep('tool-output/wrong-password.stderr', await said('pg_dump', [], { PGPASSWORD: 'wrong' }));
  await keep(
    'tool-output/psql.stderr',
    await said('psql', ['-X', '--echo-errors', '-c', 'select * from nowhere', '-c', 'drop table s.x']),
  );
  await keep(
    'tool-output/pg_basebackup.stderr',
    await said('pg_basebackup', ['--progress', '--verbose', '-D', join(folder, 'bb'), '-c', 'fast']),
  );
}

async function physical(from: TestServer): Promise<void> {
  const env = environment(from);
  const account = await serverAccount();
  await from.psql("select pg_create_restore_point('before the delete'); select pg_switch_wal(); select txid_current()");
  const wal = (await readdir(join(from.dataFolder, 'pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
  for (const name of wal.slice(0, 2))
    await keep(`wal/${name}`, await readFile(join(from.dataFolder, 'pg_wal', name)), 32_768);
  const [first = ''] = wal;
  const segment = await readFile(join(from.dataFolder, 'pg_wal', first));
  await keep('wal-index/index.json', JSON.stringify(indexOf(first, segment, { scheme: 'age', recipients: ['age1x'] })));
  await keep('frames/wal', Buffer.concat([frame('w', [0x1000064n, 0x2000000n, 0n]), segment.subarray(0, 512)]));
  await keep('frames/keepalive', Buffer.concat([frame('k', [0x2000000n, 0n]), Buffer.from([1])]));
  await keep('control/pg_control', await readFile(join(from.dataFolder, 'global/pg_control')), 512);
  await run(join(from.bin, 'pg_basebackup'), ['-D', join(folder, 'tars'), '-Ft', '-X', 'fetch', '-c', 'fast'], { env });
  const base = await readFile(join(folder, 'tars/base.tar'));
  await keep('tar/base.tar', base, 49_152);
  await keep(
    'tar/gnu.tar',
    (await execa('tar', ['-c', '-C', join(import.meta.dirname, 'targets'), '.'], { encoding: 'buffer' }))
      .stdout as unknown as Buffer,
    49_152,
  );
  const list = await readFile(join(folder, 'tars/backup_manifest'), 'utf8');
  const lines = list.split('\n');
  await keep(
    'backup-manifest/short',
    [
      ...lines.slice(0, 20),
      (lines[20] ?? '').replace(/,$/, ''),
      ...lines.slice(lines.findIndex((line) => line.startsWith('],'))),
    ].join('\n'),
  );
  await keep(
    'protocol/base-backup',
    Buffer.concat([
      message('n', Buffer.from('base.tar\0\0')),
      message('d', base.subarray(0, 4096)),
      message('p', Buffer.from([0, 0, 0, 0, 0, 0, 16, 0])),
      message('n', Buffer.from('16385.tar\0/srv/ts\0')),
      message('d', base.subarray(0, 1024)),
      message('m', Buffer.alloc(0)),
      message('d', Buffer.from(list.slice(0, 2000))),
    ]),
  );
  // A server that goes on by itself has a history, and its log tells of a recovery.
  const copy = join(folder, 'copy');
  await run(join(from.bin, 'pg_basebackup'), ['-D', copy, '-X', 'stream', '-c', 'fast'], { env });
  await keep(
    'settings/postgresql.auto.conf',
    `# Do not edit this file manually!\nprimary_conninfo = 'host=old'\narchive_command = 'sh /var/run/tidemark/wal/archive.sh "%p" "%f"'\narchive_mode = 'on'\n`,
  );
  await writeFile(join(copy, 'recovery.signal'), '');
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, copy]);
  const log = await execa(
    'timeout',
    [
      '-s',
      'INT',
      '6',
      join(from.bin, 'postgres'),
      '-D',
      copy,
      '-c',
      'port=1',
      '-c',
      'listen_addresses=',
      '-c',
      `unix_socket_directories=${copy}`,
      '-c',
      'restore_command=false',
      '-c',
      'log_line_prefix=%m [%p] ',
    ],
    { uid: account.uid, gid: account.gid, reject: false, all: true, cwd: copy },
  );
  await keep('server-log/promoted.txt', String(log.all));
  const history = (await readdir(join(copy, 'pg_wal'))).find((name) => name.endsWith('.history')) ?? '';
  await keep(`history/${history}`, await readFile(join(copy, 'pg_wal', history)));
  await keep(
    'history/00000004.history',
    '1\t0/3000110\tno recovery target specified\n2\t0/5000000\tbefore 2026-11-21 10:15:00+01\n\n# a comment\n3\tA/60000F8\tno recovery target specified\n',
  );
  const failed = await execa(
    'timeout',
    [
      '-s',
      'INT',
      '6',
      join(from.bin, 'postgres'),
      '-D',
      copy,
      '-c',
      'port=1',
      '-c',
      'listen_addresses=',
      '-c',
      'max_connections=1',
      '-c',
      'recovery_target_lsn=FF/0',
      '-c',
      'shared_preload_libraries=nowhere',
    ],
    { uid: account.uid, gid: account.gid, reject: false, all: true, cwd: copy },
  );
  await keep('server-log/failed.txt', String(failed.all));
  // Of a recovery to a moment, from a server whose clock had been ahead (test/faults/database/clock.test.ts).
  await keep(
    'server-log/stopped.txt',
    '2026-11-22 02:24:07.990 UTC [3363] LOG:  recovery stopping before commit of transaction 728, time 2026-11-23 02:23:13.589723+00\n2026-11-22 02:24:07.990 UTC [3363] LOG:  redo done at 0/50000C0 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.33 s\n2026-11-22 02:24:07.990 UTC [3363] LOG:  last completed transaction was at log time 2026-11-22 02:23:09.85791+00\n',
  );
}

function frame(letter: string, numbers: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(1 + numbers.length * 8);
  bytes.write(letter, 0, 'latin1');
  for (const [index, number] of numbers.entries()) bytes.writeBigUInt64BE(number, 1 + index * 8);
  return bytes;
}

function message(letter: string, content: Buffer): Buffer {
  const head = Buffer.alloc(6);
  head.write('d', 0, 'latin1');
  head.writeUInt32BE(content.length + 5, 1);
  head.write(letter, 5, 'latin1');
  return Buffer.concat([head, content]);
}

async function manifests(from: TestServer): Promise<void> {
  const setting = await createSetting(from);
  const store = await openRepository(setting, volumeRepository);
  try {
    const { reporter } = await backUp(setting, backupTask(from));
    await keep('statuses/backup-run.json', JSON.stringify(reporter.status));
    const whole = await backUpPhysically(
      setting,
      physicalTask(from, { walMethod: 'Fetch' }, { repositories: [volumeRepository] }),
    );
    if (whole.error !== undefined) throw whole.error;
    for await (const { key } of store.list('', { signal })) {
      const name = key.slice(key.lastIndexOf('/') + 1);
      const method = key.includes('physical') ? 'physical' : 'logical';
      if (name === 'manifest.json')
        await keep(
          `manifests/${method}.json`,
          JSON.stringify(JSON.parse((await store.get(key, { signal })).toString())),
        );
      if (name === 'started.json') await keep(`started/${method}.json`, await store.get(key, { signal }));
    }
    await keep(
      'journal/copied.json',
      JSON.stringify({
        format: 1,
        objects: { 'globals.sql.zst': { path: 'globals.sql.zst', size: 12, sha256: `sha256:${'a'.repeat(64)}` } },
      }),
    );
    await keep('tasks/backup.json', JSON.stringify(backupTask(from)));
    await keep('marker-files/marker.json', JSON.stringify({ recovery: 'uid', state: 'Laying', old: '/data/old' }));
  } finally {
    await store.close();
    await setting.remove();
  }
}

async function packed(): Promise<void> {
  const text = Buffer.from('tidemark '.repeat(400));
  const through = async (command: string, args: readonly string[], input: Buffer) =>
    (await execa(command, [...args], { input, encoding: 'buffer' })).stdout as unknown as Buffer;
  await keep(
    'packed/zstd',
    Buffer.concat([await through('zstd', ['-q', '-c'], text), await through('zstd', ['-q', '-c', '--no-check'], text)]),
  );
  await keep('packed/zstd-sized', await through('zstd', ['-q', '-c', '--stream-size=3600'], text));
  await keep('unpacked/gzip', await through('gzip', ['-c'], text));
  await keep('unpacked/lz4', await through('lz4', ['-q', '-c'], text));
  const key = (await execa('age-keygen')).stdout;
  const recipient = /age1[a-z0-9]+/.exec(key)?.[0] ?? '';
  await keep('encrypted/age', await through('age', ['-r', recipient], text));
  const home = await mkdtemp(join(tmpdir(), 'corpus-gpg-'));
  await chmod(home, 0o700);
  const gpg = ['--homedir', home, '--batch', '--quiet', '--trust-model', 'always'];
  await execa('gpg', [...gpg, '--passphrase', '', '--quick-generate-key', 'corpus', 'rsa2048', 'encrypt', 'never'], {
    reject: false,
  });
  await execa('gpg', [...gpg, '--passphrase', '', '--quick-generate-key', 'two', 'default', 'default', 'never'], {
    reject: false,
  });
  await keep('encrypted/gpg', await through('gpg', [...gpg, '-r', 'two', '--encrypt'], text));
  await execa('gpgconf', ['--homedir', home, '--kill', 'all'], { reject: false });
  await rm(home, { recursive: true, force: true });
}

/** What the stores' own servers answer, as it passes by. */
async function stores(): Promise<void> {
  const s3 = await startS3Server();
  await s3.createBucket('corpus');
  await recorded(s3.endpoint, 's3', async (endpoint) => {
    await exercise(openS3({ ...s3, endpoint, bucket: 'corpus' }));
    await openS3({ ...s3, endpoint, secretKey: 'wrong', bucket: 'corpus' })
      .get('x', { signal })
      .catch(() => undefined);
  });
  await s3.stop();
  const azure = await startAzurite();
  await azure.container('corpus').create();
  await recorded(azure.endpoint, 'azure', (endpoint) =>
    exercise(openAzure({ ...azure, endpoint: `${endpoint}/${azure.account}`, container: 'corpus' })),
  );
  await azure.stop();
  const gcs = await startGcsServer();
  await gcs.createBucket('corpus');
  await recorded(gcs.endpoint, 'gcs', (endpoint) => exercise(openGcs({ endpoint, bucket: 'corpus' })));
  await gcs.stop();
}

async function exercise(store: ReturnType<typeof openS3>): Promise<void> {
  await store.put('a/one', Buffer.from('one'), { ifAbsent: true, signal }).catch(() => undefined);
  await store.get('a/one', { signal }).catch(() => undefined);
  await store.get('a/none', { signal }).catch(() => undefined);
  for await (const _ of store.list('a/', { signal }));
  for await (const _ of store.listFolders('', { signal }));
  await store.delete(['a/one'], { signal }).catch(() => undefined);
  await store.close();
}

async function recorded(upstream: string, name: string, during: (endpoint: string) => Promise<void>): Promise<void> {
  const to = new URL(upstream);
  let count = 0;
  const proxy = createServer((incoming, outgoing) => {
    // With the host that was signed.
    const { headers } = incoming;
    const call = request(
      { host: to.hostname, port: to.port, method: incoming.method, path: incoming.url, headers },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const body = Buffer.concat(parts);
          count += 1;
          if (body.length > 0)
            void keep(
              `answers/${name}/${String(count).padStart(2, '0')}-${incoming.method}-${answer.statusCode}`,
              body,
            );
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(body);
        });
      },
    );
    incoming.pipe(call);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    await during(`http://127.0.0.1:${port}`);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}
