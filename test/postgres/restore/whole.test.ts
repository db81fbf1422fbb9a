import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, fingerprint, stateOf } from './state.ts';
import { createWorld, type World } from './world.ts';

const oddName = `o'dd "db" =x\\y`;
const quoted = `"${oddName.replaceAll('"', '""')}"`;

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical', deadlock_timeout: '10ms' } });
  world = await createWorld(server);
  await server.psql('create database shop');
  await server.psql(await readFile('test/support/data/shop.sql', 'utf8'), 'shop');
  await server.psql(`create database ${quoted}`);
  await server.psql(await readFile('test/postgres/restore/odd.sql', 'utf8'), oddName);
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

const drop = (name: string) => server.psql(`drop database "${name.replaceAll('"', '""')}"`);

describe.each([
  { format: 'Custom', jobs: 1, algorithm: 'zstd' },
  { format: 'Custom', jobs: 3, algorithm: 'none' },
  { format: 'Directory', jobs: 3, algorithm: 'zstd' },
] as const)('a $format backup ($algorithm) restored by $jobs jobs', ({ format, jobs, algorithm }) => {
  test('makes new databases that are the same in every object and row', async () => {
    const logical = {
      format,
      databases: { include: ['shop', quoted] },
      ...(format === 'Directory' ? { jobs: 2 } : {}),
    };
    const backup = await world.backUp({ logical, compression: { algorithm } });
    const { outcome, error, status, progress } = await world.restore(backup, {
      databases: [
        { name: 'shop', targetName: 'shop_copy' },
        { name: oddName, targetName: `${oddName} 2` },
      ],
      jobs,
    });
    expect(error).toBeUndefined();
    expect(outcome?.reason).toBe('Restored');
    expect(status).toMatchObject({ backupID: backup, restored: { databases: 2, errors: 0 } });
    expect(progress.at(-1)).toMatchObject({ step: 'restored', percent: 100 });
    expect(await stateOf(server, 'shop_copy')).toBe(await stateOf(server, 'shop'));
    expect(await fingerprint(server, 'shop_copy')).toBe(await fingerprint(server, 'shop'));
    expect(await stateOf(server, `${oddName} 2`)).toBe(await stateOf(server, oddName));
    await drop('shop_copy');
    await drop(`${oddName} 2`);
  });
});

test('a new database has the settings, grants, comment, encoding and owner of the old one', async () => {
  await server.psql(`
    create role app;
    create database settings owner app encoding 'LATIN1' locale 'C' template template0;
    alter database settings set search_path to 'a b', public;
    alter database settings set work_mem to '7MB';
    alter role app in database settings set work_mem to '9MB';
    alter database settings connection limit 17;
    comment on database settings is 'it''s about the DATABASE';
    revoke connect on database settings from public;
    grant connect on database settings to app;`);
  await server.psql('create table "Stra\u00dfe" as select \'M\u00fcller\' as name', 'settings');
  const backup = await world.backUp({ logical: { databases: { include: ['settings'] } } });
  const { error } = await world.restore(backup, { databases: [{ name: 'settings', targetName: 'settings2' }] });
  expect(error).toBeUndefined();
  const create = async (name: string) => (await stateOf(server, name, '--create')).replaceAll(name, 'x');
  expect(await create('settings2')).toBe(await create('settings'));
});

test('without databases in the request all of the backup come back under their names', async () => {
  await server.psql('create database one; create database two');
  await server.psql('create table t as select 1 as a', 'one');
  const backup = await world.backUp({ logical: { databases: { include: ['one', 'two'] } } });
  await drop('one');
  await drop('two');
  const { error, status } = await world.restore(backup, {});
  expect(error).toBeUndefined();
  expect(status).toMatchObject({ restored: { databases: 2 } });
  expect(await server.psql('select a from t', 'one')).toBe('1');
  expect(await databases(server)).toContain('two');
});

test('noOwner and noPrivileges leave owners and grants out', async () => {
  await server.psql('create role hidden; create database owned owner hidden');
  await server.psql(
    'create table t (); alter table t owner to hidden; create table u (); grant select on u to hidden; grant connect on database owned to hidden',
    'owned',
  );
  const backup = await world.backUp({ logical: { databases: { include: ['owned'] } } });
  const state = `select relname, relowner::regrole, relacl from pg_class where relname in ('t', 'u') order by 1`;
  for (const [choice, expected] of [
    [{}, 't|hidden|\nu|postgres|{postgres=arwdDxt/postgres,hidden=r/postgres}'],
    [{ noOwner: true }, 't|postgres|\nu|postgres|{postgres=arwdDxt/postgres,hidden=r/postgres}'],
    [{ noPrivileges: true }, 't|hidden|\nu|postgres|'],
  ] as const) {
    const each = await world.restore(backup, { databases: [{ name: 'owned', targetName: 'owned2' }], ...choice });
    expect(each.error).toBeUndefined();
    expect(await server.psql(state, 'owned2'), JSON.stringify(choice)).toBe(expected);
    await drop('owned2');
  }
  await drop('owned');
  await server.psql('drop role hidden');
  const refused = await world.restore(backup, { databases: [{ name: 'owned' }] });
  expect(refused.error).toMatchObject({ reason: 'RoleMissing', retryable: false });
  expect(refused.error?.message).toMatch(/hidden.*globals: Restore.*noOwner/);
  expect(await databases(server)).not.toContain('owned');
  const { error } = await world.restore(backup, {
    databases: [{ name: 'owned' }],
    noOwner: true,
    noPrivileges: true,
  });
  expect(error).toBeUndefined();
  expect(await server.psql("select tableowner from pg_tables where tablename in ('t', 'u')", 'owned')).toBe(
    'postgres\npostgres',
  );
});

test('a role without superuser restores what it may own', async () => {
  await server.psql("create role maker login createdb password 'maker'");
  await server.psql('create database simple');
  await server.psql('create table t (id int primary key); insert into t values (1), (2)', 'simple');
  const backup = await world.backUp({ logical: { databases: { include: ['simple'] } } });
  const { error } = await world.restore(
    backup,
    { databases: [{ name: 'simple', targetName: 'simple2' }], noOwner: true },
    { username: 'maker', password: 'maker' },
  );
  expect(error).toBeUndefined();
  expect(await server.psql("select tableowner from pg_tables where tablename = 't'", 'simple2')).toBe('maker');
  expect(await server.psql('select count(*) from t', 'simple2')).toBe('2');
});

test('role makes every object belong to that role', async () => {
  await server.psql('create role group_owner');
  const backup = await world.backUp({ logical: { databases: { include: ['simple'] } } });
  const spec = { databases: [{ name: 'simple', targetName: 'simple3' }], noOwner: true, role: 'group_owner' };
  expect((await world.restore(backup, spec)).error).toBeUndefined();
  expect(await server.psql("select tableowner from pg_tables where tablename = 't'", 'simple3')).toBe('group_owner');
  const missing = await world.restore(backup, {
    ...spec,
    databases: [{ name: 'simple', targetName: 'simple4' }],
    role: 'nobody',
  });
  expect(missing.error).toMatchObject({ reason: 'RoleMissing' });
});
