import { access, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installScript } from '../../../src/agent/archive/script.ts';
import { serverArguments } from '../../../src/agent/recover/run/server-arguments.ts';
import { withPrimary } from '../../../src/agent/recover/run/settings-file.ts';
import { recoveryTarget } from '../../../src/api/pitr-recovery.ts';
import { encodeName } from '../../../src/domain/layout.ts';
import { createWorld, storedFiles, type World } from '../../postgres/restore/world.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';

const mark = `/tmp/tidemark-evil-${process.pid}`;

/** Names that PostgreSQL takes, and that a shell, a path, an option, a connection string or SQL would take for something else. */
const names = [
  `$(touch ${mark})`,
  `\`touch ${mark}\``,
  `; touch ${mark}`,
  '../../../tmp/x',
  '/etc/passwd',
  '..',
  '-f',
  '--file=x',
  "o'clock",
  '"; DROP DATABASE shop; --',
  'dbname=postgres host=evil',
  'postgresql://evil/x',
  'a\\b',
  '%2e%2e%2f',
  'orders*',
  'a.b',
  ' lead',
  '\u202eevil',
  'é💥',
  '{"a":1}',
  '__proto__',
];
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
const literal = (name: string) => `'${name.replaceAll("'", "''")}'`;

let server: TestServer;
let world: World;
let folder: string;

beforeAll(async () => {
  server = await startPostgres();
  folder = await mkdtemp(join(await runFolder(), 'names-'));
  await chmod(folder, 0o755);
  world = await createWorld(server);
});
afterAll(async () => {
  await world?.remove();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const marked = () =>
  access(mark).then(
    () => true,
    () => false,
  );

describe('names that PostgreSQL takes', () => {
  let backupID: string;

  beforeAll(async () => {
    for (const [index, name] of names.entries()) {
      await server.psql(`create database ${identifier(name)}`);
      await server.psql(`create role ${identifier(name)} login`);
      // As libpq would read it, the name would be another database.
      const oid = await server.psql(`select oid from pg_database where datname = ${literal(name)}`);
      expect(oid).not.toBe('');
      const table = identifier(name);
      const sql = `create schema ${table}; create table ${table}.${table} as select ${index} as number; alter table ${table}.${table} owner to ${table}`;
      await execa(join(server.bin, 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
        input: sql,
        env: environment(name),
      });
    }
    backupID = await world.backUp({ logical: { databases: { include: names.map(quoted) }, globals: 'Roles' } });
  }, 120_000);

  test('are backed up under paths that are their own', async () => {
    const files = await storedFiles(world, backupID);
    for (const name of names) {
      const path = `/databases/${encodeName(name)}/`;
      expect(
        files.some((file) => file.includes(path)),
        name,
      ).toBe(true);
    }
    expect(files.every((file) => file.startsWith(world.repository))).toBe(true);
    expect(await marked()).toBe(false);
  });

  test('come back into databases of other such names, whole', async () => {
    const databases = names.map((name) => ({ name, targetName: `x${name}`.slice(0, 60) }));
    const { error, status } = await world.restore(backupID, { databases, globals: 'Restore' });
    expect(error, JSON.stringify(status)).toBeUndefined();
    for (const [index, { name, targetName }] of databases.entries()) {
      const table = `${identifier(name)}.${identifier(name)}`;
      const { stdout } = await execa(
        join(server.bin, 'psql'),
        ['-X', '-A', '-t', '-c', `select number from ${table}`],
        { env: environment(targetName) },
      );
      expect(stdout, name).toBe(String(index));
    }
    expect(await marked()).toBe(false);
  }, 180_000);

  test('choose one table and nothing else, and one role', async () => {
    const name = '"; DROP DATABASE shop; --';
    const only = { name, targetName: 'only', tables: { include: [`${quoted(name)}.${quoted(name)}`] } };
    const { error } = await world.restore(backupID, { databases: [only], role: name });
    // The role may not create anything there: the server says so of that very role, and nothing else happens.
    expect(error === undefined || /permission denied/.test(error.message), error?.message).toBe(true);
    expect(await server.psql("select count(*) from pg_database where datname = 'shop'")).toBe('0');
    expect(await marked()).toBe(false);
  });

  test('of nothing that there is are looked for as they are', async () => {
    const { error } = await world.restore(backupID, { databases: [{ name: `${names[0]}x` }] });
    expect(error).toMatchObject({ retryable: false });
    expect(await marked()).toBe(false);
  });

  test('leave nothing in scratch', async () => {
    expect(await readdir(world.scratch)).toEqual([]);
  });
});

describe('values that go into a server’s settings', () => {
  const values = [
    ...names,
    "x' host='evil",
    "'; archive_command = 'touch x",
    'a\\',
    "a\\'b",
    '$system',
    'a#b',
    'x'.repeat(500),
  ];

  test.each(values)('%s is the password of a primary, as PostgreSQL reads postgresql.auto.conf', async (value) => {
    const data = await fakeData();
    await writeFile(
      join(data, 'postgresql.auto.conf'),
      withPrimary("archive_mode = 'off'\n", { host: 'db', port: 5433, username: value, password: value }),
    );
    const conninfo = await asked(data, 'primary_conninfo');
    const { stdout } = await execa('python3', ['-c', parse, conninfo]);
    expect(JSON.parse(stdout)).toEqual({ host: 'db', port: '5433', user: value, password: value });
    expect(await asked(data, 'archive_mode')).toBe('off');
  });

  test.each(names)('%s is the restore point that recovery stops at', async (value) => {
    const data = await fakeData();
    const target = recoveryTarget.parse({ targetName: value.slice(0, 63) });
    const places = { recovery: folder, dataDirectory: data, configFile: undefined };
    const args = serverArguments(target, { targetTimeline: 1, major: 15 }, new Map(), places, { standby: false });
    expect(await asked(data, 'recovery_target_name', args.slice(2))).toBe(value.slice(0, 63));
    expect(await asked(data, 'restore_command', args.slice(2))).toBe(
      `[ -r "${folder}/get-wal.sh" ] || exit 126; exec sh "${folder}/get-wal.sh" "%f" "%p"`,
    );
    expect(await marked()).toBe(false);
  });

  test('a line break is refused before it is written: it would be another line', () => {
    const target = recoveryTarget.parse({ targetName: "x'\narchive_command = 'touch x" });
    const places = { recovery: folder, dataDirectory: '/data', configFile: undefined };
    expect(() =>
      serverArguments(target, { targetTimeline: 1, major: 15 }, new Map(), places, { standby: false }),
    ).toThrow(/line break/);
  });
});

describe('the script that is archive_command', () => {
  test.each(['../x', '/etc/passwd', '', '.hidden', '..', 'a/../b', `$(touch ${mark})/x`])(
    'refuses %j, and writes nothing',
    async (name) => {
      const spool = await mkdtemp(join(tmpdir(), 'tidemark-spool-'));
      try {
        await installScript(spool, 1);
        await execa('mkdir', [join(spool, 'incoming')]);
        const { exitCode, stderr } = await execa('sh', [join(spool, 'archive.sh'), 'pg_wal/x', name], {
          reject: false,
          cwd: spool,
        });
        expect(exitCode).toBe(1);
        expect(stderr).toContain('is no name of a WAL file');
        expect(await readdir(join(spool, 'incoming'))).toEqual([]);
      } finally {
        await rm(spool, { recursive: true, force: true });
      }
      expect(await marked()).toBe(false);
    },
  );
});

function environment(database: string) {
  return {
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.superuser,
    PGPASSWORD: server.password,
    PGDATABASE: database,
  };
}

/** A pattern that means this name alone. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

let made: string | undefined;

/** Enough of a data directory for `postgres -C`. */
async function fakeData(): Promise<string> {
  if (made !== undefined) return made;
  const { uid, gid } = await serverAccount();
  made = join(folder, 'data');
  await execa('cp', ['-a', server.dataFolder, made]);
  await rm(join(made, 'postmaster.pid'), { force: true });
  await execa('chown', ['-R', `${uid}:${gid}`, made]);
  return made;
}

/** What the server takes a setting for, from its files and its command line. */
async function asked(data: string, setting: string, args: readonly string[] = []): Promise<string> {
  const { uid, gid } = await serverAccount();
  await execa('chown', ['-R', `${uid}:${gid}`, data]);
  const { stdout } = await execa(join(server.bin, 'postgres'), ['-D', data, ...args, '-C', setting], {
    uid,
    gid,
    cwd: folder,
  });
  return stdout;
}

/** PQconninfoParse() of the libpq that a server would use. */
const parse = `
import ctypes, ctypes.util, json, sys
class Option(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ('keyword', 'envvar', 'compiled', 'val', 'label', 'dispchar')] + [('dispsize', ctypes.c_int)]
pq = ctypes.CDLL('libpq.so.5')
pq.PQconninfoParse.restype = ctypes.POINTER(Option)
options = pq.PQconninfoParse(sys.argv[1].encode('utf-8', 'surrogateescape'), None)
found, at = {}, 0
while options[at].keyword:
    if options[at].val is not None:
        found[options[at].keyword.decode()] = options[at].val.decode('utf-8')
    at += 1
print(json.dumps(found))
`;

test('the password of a standby that would be another line is refused', async () => {
  const { readStandbyCredentials } = await import('../../../src/agent/recover/run/leave-standby.ts');
  await writeFile(join(folder, 'username'), 'u');
  await writeFile(join(folder, 'password'), "x'\narchive_command = 'touch y");
  const task = { namespace: 'n', standbyOf: { host: 'h', port: 1, credentialsSecretName: 's' } } as never;
  await expect(readStandbyCredentials(task, folder)).rejects.toMatchObject({ reason: 'UnusablePassword' });
  expect(await readFile(join(folder, 'username'), 'utf8')).toBe('u');
});
