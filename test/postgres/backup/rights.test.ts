import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { contentOf, restoreInto } from './restored.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  leftovers,
  manifestOf,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from './setting.ts';

let server: TestServer;
let setting: Setting;

/** What the role `reader` may not read, each in a database of its own. */
const obstacles = {
  'no table':
    'CREATE SCHEMA s; CREATE TABLE s."Order items" AS SELECT 1 AS one; CREATE TABLE s.open AS SELECT 1 AS one; GRANT SELECT ON s.open TO reader; GRANT USAGE ON SCHEMA s TO reader',
  'no rows':
    'CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO reader; CREATE TABLE s.secret AS SELECT 1 AS one; ALTER TABLE s.secret ENABLE ROW LEVEL SECURITY; GRANT SELECT ON s.secret TO reader',
  'no sequence': 'CREATE SEQUENCE public."Count"',
  'no large object': "SELECT lo_from_bytea(4711, 'x')",
  'no schema': 'CREATE SCHEMA closed; CREATE TABLE closed.t AS SELECT 1 AS one; GRANT SELECT ON closed.t TO reader',
};

beforeAll(async () => {
  server = await startPostgres();
  await server.psql('CREATE ROLE reader LOGIN PASSWORD \'pw\'; CREATE DATABASE good; CREATE DATABASE "no way in"');
  await server.psql('REVOKE CONNECT ON DATABASE "no way in" FROM PUBLIC');
  await server.psql('CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i; GRANT SELECT ON t TO reader', 'good');
  for (const [name, sql] of Object.entries(obstacles)) {
    await server.psql(`CREATE DATABASE "${name}"`);
    await server.psql(sql, name);
  }
  // A catalog that contradicts itself.
  await server.psql('CREATE DATABASE broken');
  await server.psql('CREATE SCHEMA gone; CREATE TABLE gone.t (i int)', 'broken');
  await server.psql("SET allow_system_table_mods = on; DELETE FROM pg_namespace WHERE nspname = 'gone'", 'broken');
});
beforeEach(async () => {
  setting = await createSetting(server);
  await setting.setCredentials('reader', 'pw');
});
afterEach(() => setting.remove());
afterAll(() => server?.stop());

async function failureOf(logical: object) {
  const reporter = recordingReporter();
  const [result] = await Promise.allSettled([backUp(setting, backupTask(server, { logical }), { reporter })]);
  if (result?.status !== 'rejected') throw new Error('the backup succeeded');
  return { failure: result.reason as Error & { reason: string; retryable: boolean }, status: reporter.status };
}

describe.each(['Custom', 'Directory', 'Tar', 'Plain'])('what the role may not read, in %s format,', (format) => {
  test.each<readonly [keyof typeof obstacles, string, RegExp]>([
    ['no table', 'PermissionDenied', /GRANT SELECT ON TABLE s\."Order items" TO "reader"; or GRANT pg_read_all_data/],
    ['no rows', 'RowSecurity', /rows of table s\.secret .*ALTER ROLE "reader" BYPASSRLS/],
    ['no sequence', 'PermissionDenied', /GRANT SELECT ON SEQUENCE public\."Count" TO "reader"/],
    ['no large object', 'PermissionDenied', /GRANT SELECT ON LARGE OBJECT 4711 TO "reader"/],
    ['no schema', 'PermissionDenied', /GRANT USAGE ON SCHEMA "closed" TO "reader"/],
  ])('is named with what to do: %s', async (name, reason, message) => {
    const { failure } = await failureOf({ format, databases: { include: [`"${name}"`] } });
    expect(failure).toMatchObject({ reason, retryable: false, message: expect.stringMatching(message) });
    const store = await openRepository(setting, volumeRepository);
    expect((await inventory(store)).keys).toEqual([]);
    expect(await leftovers(setting)).toEqual([]);
  });
});

test.each(['Custom', 'Directory', 'Tar', 'Plain'])(
  'databases that cannot be dumped do not stop the others, and the run fails and names them, in %s',
  { timeout: 300_000 },
  async (format) => {
    const { failure, status } = await failureOf({ format, databases: { include: ['*'] } });
    expect(failure).toMatchObject({ reason: 'DatabasesFailed', retryable: false });
    expect(failure.message).toMatch(/^7 of 9 databases could not be dumped: /);
    const missing = ['broken', 'no large object', 'no rows', 'no schema', 'no sequence', 'no table', 'no way in'];
    for (const name of missing) expect(failure.message).toContain(name);
    expect(failure.message).toMatch(/GRANT CONNECT ON DATABASE "no way in"/);

    const store = await openRepository(setting, volumeRepository);
    const { manifest, path } = await manifestOf(store, status);
    expect(manifest.logical.failed).toHaveLength(7);
    expect(manifest.logical.failed).toContainEqual({
      name: 'broken',
      reason: 'CatalogDamaged',
      message: expect.stringMatching(/catalog of database broken/),
    });
    expect(manifest.logical.databases.map(({ name }) => name)).toEqual(['good', 'postgres']);
    expect(status).toMatchObject({
      repositories: [
        { name: 'local-disk', state: 'Stored', path, message: expect.stringMatching(/^Without broken, /) },
      ],
      globals: { withPasswords: false },
    });
    const states = status['databases'] as readonly { name: string; state: string; message?: string }[];
    expect(states.filter(({ state }) => state === 'Stored').map(({ name }) => name)).toEqual(['good', 'postgres']);
    expect(states.filter(({ state }) => state === 'Failed').map(({ name }) => name)).toEqual(missing);
    expect(states.find(({ name }) => name === 'no rows')?.message).toMatch(/BYPASSRLS/);

    // Nothing of the others stays, and what is there is whole.
    const { keys } = await inventory(store);
    const folders = new Set(keys.flatMap((key) => /\/databases\/([^/]+)\//.exec(key)?.[1] ?? []));
    expect([...folders].sort()).toEqual(['good', 'postgres']);
    const [good] = manifest.logical.databases;
    if (good === undefined) throw new Error('no database');
    await restoreInto(server, { store, manifest, path }, good, 'restored');
    const restored = await contentOf(server, 'restored');
    await server.psql('DROP DATABASE restored');
    expect(restored).toBe(await contentOf(server, 'good'));
    await store.close();
  },
);

test('one that fails for a passing reason takes all back, as ever', async () => {
  await server.psql('ALTER DATABASE good CONNECTION LIMIT 0');
  try {
    const { failure } = await failureOf({ databases: { include: ['"no rows"', 'good', 'postgres'] } });
    expect(failure).toMatchObject({ reason: 'TooManyConnections', retryable: true });
  } finally {
    await server.psql('ALTER DATABASE good CONNECTION LIMIT -1');
  }
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
});

describe('the roles', () => {
  const only = { databases: { include: ['good'] } };
  const globals = async () => {
    const { reporter, outcome } = await backUp(setting, backupTask(server, { logical: only }));
    const store = await openRepository(setting, volumeRepository);
    const { manifest } = await manifestOf(store, reporter.status);
    expect(reporter.status['globals']).toMatchObject({ withPasswords: manifest.logical.globals?.withPasswords });
    return { outcome, globals: manifest.logical.globals };
  };

  test('are stored without passwords for a role that may read nothing but its table', async () => {
    const { outcome, globals: stored } = await globals();
    expect(stored?.withPasswords).toBe(false);
    expect(outcome.message).toContain('roles without passwords');
  });

  test('have their passwords where the role may read all data', async () => {
    await server.psql('GRANT pg_read_all_data TO reader');
    try {
      expect((await globals()).globals?.withPasswords).toBe(true);
    } finally {
      await server.psql('REVOKE pg_read_all_data FROM reader');
    }
  });

  test('tablespaces alone have no passwords to miss', async () => {
    const task = backupTask(server, { logical: { ...only, globals: 'Tablespaces' } });
    const { reporter, outcome } = await backUp(setting, task);
    expect(outcome.message).not.toContain('without passwords');
    expect(reporter.status['globals']).toEqual({ storedBytes: expect.any(String) });
  });
});

describe('a foreign table', () => {
  beforeAll(async () => {
    await server.psql('CREATE DATABASE far');
    await server.psql(
      `CREATE EXTENSION postgres_fdw;
       CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'x');
       CREATE USER MAPPING FOR reader SERVER elsewhere OPTIONS (user 'u', password 'hush');
       CREATE FOREIGN TABLE public.far_away (i int) SERVER elsewhere;
       GRANT USAGE ON FOREIGN SERVER elsewhere TO reader; GRANT SELECT ON far_away TO reader`,
      'far',
    );
  });
  const far = { databases: { include: ['far'] } };

  test('is dumped as a definition though its server is not there, and what was kept back is said', async () => {
    await server.psql(
      "CREATE ROLE other; CREATE USER MAPPING FOR other SERVER elsewhere OPTIONS (password 'hush')",
      'far',
    );
    const { reporter, outcome } = await backUp(setting, backupTask(server, { logical: far }));
    expect(outcome.message).toMatch(/pg_dump warned of far: 1 user mapping is dumped without options/);
    expect(reporter.status).toMatchObject({
      databases: [
        { name: 'far', state: 'Stored', message: expect.stringMatching(/without options such as passwords/) },
      ],
    });
  });

  test('of which the data is asked for fails while its server cannot be reached', async () => {
    const { failure } = await failureOf({ ...far, extraArgs: ['--include-foreign-data=elsewhere'] });
    expect(failure).toMatchObject({ reason: 'ForeignServerUnreachable', retryable: true });
    expect(failure.message).toMatch(/foreign table public\.far_away .*cannot reach the foreign server elsewhere/);
  });
});

test('a subscription that pg_dump passes over is told of', async () => {
  await server.psql('CREATE DATABASE subscriber');
  await server.psql(
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p WITH (connect = false)",
    'subscriber',
  );
  const logical = { databases: { include: ['subscriber'] } };
  const { outcome } = await backUp(setting, backupTask(server, { logical }));
  expect(outcome.message).toMatch(/pg_dump warned of subscriber: subscriptions not dumped/);
});

test.each<readonly [string, object]>([
  ['a pattern of another database', { tables: { include: ['other.public.t'] } }],
  ['a pattern of too many parts', { tables: { include: ['a.b.c.d'] } }],
  ['a pattern that is no expression', { tables: { include: ['t('] } }],
])('%s is a fault of the pattern', async (_, choice) => {
  const { failure } = await failureOf({ databases: { include: ['good'] }, ...choice });
  expect(failure).toMatchObject({ reason: 'InvalidPattern', retryable: false });
});

test('the tool is looked for at each run, and is never older than the server', async () => {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-tools-'));
  const offer = async (major: number) => {
    await mkdir(join(root, String(major)));
    await symlink(server.bin, join(root, String(major), 'bin'));
  };
  const before = process.env['TIDEMARK_POSTGRESQL_ROOT'];
  process.env['TIDEMARK_POSTGRESQL_ROOT'] = root;
  const task = backupTask(server, { logical: { databases: { include: ['good'] }, globals: 'None' } });
  try {
    await offer(server.major - 1);
    await expect(backUp(setting, task)).rejects.toMatchObject({ reason: 'VersionMismatch', retryable: false });
    await offer(server.major + 1);
    const { reporter } = await backUp(setting, task);
    const store = await openRepository(setting, volumeRepository);
    expect((await manifestOf(store, reporter.status)).manifest.logical.tool).toMatch(/^pg_dump \(PostgreSQL\) 15\./);
  } finally {
    if (before === undefined) delete process.env['TIDEMARK_POSTGRESQL_ROOT'];
    else process.env['TIDEMARK_POSTGRESQL_ROOT'] = before;
    await rm(root, { recursive: true });
  }
});
