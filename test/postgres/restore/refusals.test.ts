import { rm, truncate } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { transient } from '../../../src/domain/failure.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, stateOfAll } from './state.ts';
import { createWorld, damage, storedFiles, type World } from './world.ts';

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create role keeper; create database shop');
  await server.psql(
    "create table orders as select n as id, repeat('x', 200) as note from generate_series(1, 20000) n; create index on orders (id); alter table orders owner to keeper",
    'shop',
  );
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

const backUp = (logical: object = {}) => world.backUp({ logical: { databases: { include: ['shop'] }, ...logical } });
const into = (targetName: string) => ({ databases: [{ name: 'shop', targetName }] });

describe.each(['Custom', 'Directory'])('a %s backup with an object that is', (format) => {
  test.each([
    ['changed by one bit', damage],
    ['cut short', (path: string) => truncate(path, 100)],
    ['empty', (path: string) => truncate(path, 0)],
    ['gone', (path: string) => rm(path)],
  ])('%s is refused before anything is touched', async (_, harm) => {
    const backup = await backUp({ format });
    const object = (await storedFiles(world, backup)).find((path) => /dump\.custom|chunk-/.test(path)) ?? '';
    await harm(object);
    const all = await stateOfAll(server);
    const { error } = await world.restore(backup, {
      databases: [{ name: 'shop', onConflict: 'Replace' }],
      globals: 'Restore',
    });
    expect(error).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
    expect(error?.message).toMatch(/(dump\.custom|chunk-00001).*Nothing was changed.*another backup/);
    expect(await stateOfAll(server)).toBe(all);
  });
});

test('dryRun gives the plan and touches nothing', async () => {
  const backup = await backUp();
  const all = await stateOfAll(server);
  const { outcome, status } = await world.restore(backup, {
    databases: [
      { name: 'shop', onConflict: 'Replace' },
      { name: 'shop', targetName: 'second' },
    ],
    globals: 'Restore',
    jobs: 2,
    dryRun: true,
  });
  expect(outcome?.reason).toBe('Planned');
  const plan = JSON.stringify(status.plan);
  expect(plan).toMatch(/leave roles keeper, postgres as they are/);
  expect(plan).toMatch(/create a new database .* beside shop .*which stays until the new one is complete/);
  expect(plan).toMatch(/create database second/);
  expect(plan).toMatch(/restore 3 objects \(1 table, .* MiB at the time of the backup\) of shop into second, 2 jobs/);
  expect(status.restored).toBeUndefined();
  expect(await stateOfAll(server)).toBe(all);
  const refused = await world.restore(backup, { databases: [{ name: 'shop' }], dryRun: true });
  expect(refused.error).toMatchObject({ reason: 'TargetExists' });
});

test.each([
  [
    'a database that the backup does not hold',
    { databases: [{ name: 'shopp' }] },
    'UnknownDatabase',
    /shopp\. It has shop/,
  ],
  [
    'a missing database with create: false',
    { databases: [{ name: 'shop', targetName: 'none', create: false }] },
    'TargetMissing',
    /create: true/,
  ],
  [
    'rows for a database that is missing',
    { databases: [{ name: 'shop', targetName: 'none', content: 'DataOnly' }] },
    'TargetMissing',
    /content: All/,
  ],
])('%s is refused', async (_, spec, reason, words) => {
  const { error } = await world.restore(await backUp(), spec);
  expect(error).toMatchObject({ reason, retryable: false });
  expect(error?.message).toMatch(words);
});

test.each(['Fail', 'Replace'])('a target that was dropped half-way is refused (onConflict: %s)', async (onConflict) => {
  await server.psql("create database half; update pg_database set datconnlimit = -2 where datname = 'half'");
  const spec = { databases: [{ name: 'shop', targetName: 'half', onConflict }] };
  const { error } = await world.restore(await backUp(), spec);
  await server.psql('drop database half');
  expect(error).toMatchObject({ reason: 'DatabaseRefusesConnections', retryable: false });
  expect(error?.message).toMatch(/interrupted.*Nothing was changed\. Run: DROP DATABASE "half"/);
});

test('a backup that is not there is refused', async () => {
  const { error } = await world.restore('20200101T000000Z-logical', {});
  expect(error).toMatchObject({ reason: 'BackupNotFound' });
});

test('a role that may not create databases is refused, and one that may not write is told so', async () => {
  await server.psql(
    "create role weak login password 'weak'; create database taken; revoke create on schema public from public",
    'postgres',
  );
  const backup = await backUp();
  const login = { username: 'weak', password: 'weak' };
  const created = await world.restore(backup, { ...into('fresh'), noOwner: true }, login);
  expect(created.error).toMatchObject({ reason: 'PermissionDenied' });
  expect(created.error?.message).toMatch(/may not create databases.*CREATEDB/);
  const written = await world.restore(backup, { ...into('taken'), noOwner: true }, login);
  expect(written.error).toMatchObject({ reason: 'PermissionDenied' });
  expect(written.error?.message).toMatch(/is as it was/);
});

describe('globals', () => {
  test('make the roles that are missing and leave the others as they are', async () => {
    await server.psql(
      'create role gone login password \'before\'; alter role gone set work_mem = \'5MB\'; create role "odd; role"; grant "odd; role" to gone; grant keeper to gone; alter role keeper connection limit 3',
    );
    await server.psql('create table g (); alter table g owner to gone', 'shop');
    const backup = await backUp();
    await server.psql('drop table g', 'shop');
    await server.psql('drop role gone, "odd; role"; alter role keeper connection limit 7');
    const { error, status } = await world.restore(backup, { ...into('with_roles'), globals: 'Restore' });
    expect(error).toBeUndefined();
    expect(status.restored).toMatchObject({ errors: 0 });
    expect(await server.psql("select rolconnlimit from pg_roles where rolname = 'keeper'")).toBe('7');
    expect(
      await server.psql(
        "select string_agg(roleid::regrole::text, ' ' order by roleid::regrole::text) from pg_auth_members where member = 'gone'::regrole",
      ),
    ).toBe('"odd; role" keeper');
    expect(await server.psql("select rolcanlogin, rolconfig from pg_roles where rolname = 'gone'")).toBe(
      't|{work_mem=5MB}',
    );
    expect(await server.psql("select tableowner from pg_tables where tablename = 'g'", 'with_roles')).toBe('gone');
  });

  test('are refused where the backup has none', async () => {
    const backup = await backUp({ globals: 'None' });
    const { error } = await world.restore(backup, { ...into('no_roles'), globals: 'Restore' });
    expect(error).toMatchObject({ reason: 'NoGlobals' });
  });
});

test('assertions compare what psql prints; one that fails fails the request, and the data stays', async () => {
  const backup = await backUp();
  const good = await world.restore(backup, {
    ...into('asserted'),
    assertions: [
      { database: 'asserted', query: "select 1, 'a|b' union all select 2, null order by 1", expect: '1|a|b\n2|' },
      { database: 'asserted', query: 'select count(*) from orders', expect: '20000\n' },
    ],
  });
  expect(good.error).toBeUndefined();
  expect(good.status.assertions).toMatchObject([{ passed: true }, { passed: true, got: '20000' }]);
  const bad = await world.restore(backup, {
    ...into('asserted2'),
    assertions: [
      { database: 'asserted2', query: 'select count(*) from orders', expect: '7' },
      { database: 'asserted2', query: 'select nonsense', expect: '' },
      { database: 'asserted2', query: '\\! echo harm', expect: 'harm' },
    ],
  });
  expect(bad.error).toMatchObject({ reason: 'AssertionFailed', retryable: false });
  expect(bad.error?.message).toMatch(/gave "20000" instead of "7"\. 2 more failed/);
  expect(bad.status.assertions).toMatchObject([{ got: '20000', passed: false }, { passed: false }, { passed: false }]);
  expect(await server.psql('select count(*) from orders', 'asserted2')).toBe('20000');
});

test('a cancelled restore removes what it made', async () => {
  const backup = await backUp();
  const stopping = new AbortController();
  const { error } = await world.restore(backup, into('cancelled'), {
    signal: stopping.signal,
    onProgress: ({ step }) => {
      if (step?.includes('restoring data')) stopping.abort(transient('Cancelled', 'The pod was told to stop.'));
    },
  });
  expect(error).toMatchObject({ reason: 'Cancelled' });
  expect(error?.message).toMatch(/unfinished new database was removed, and nothing was changed/);
  expect((await databases(server)).filter((name) => /cancelled|tidemark/.test(name))).toEqual([]);
});

test('a second attempt takes up after one that was killed', async () => {
  const backup = await backUp();
  await server.psql('create database "tidemark_restore_the-uid_0"');
  await server.psql('create table half ()', 'tidemark_restore_the-uid_0');
  const { error } = await world.restore(backup, into('taken_up'), { uid: 'the-uid' });
  expect(error).toBeUndefined();
  expect(await server.psql("select count(*) from pg_class where relname = 'half'", 'taken_up')).toBe('0');
  expect((await databases(server)).filter((name) => name.startsWith('tidemark'))).toEqual([]);
});
