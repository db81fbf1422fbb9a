import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Connect, swapDatabases } from '../../../src/agent/restore/swap-database.ts';
import { withConnection } from '../../../src/postgres/query.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, fingerprint, stateOf, stateOfAll } from './state.ts';
import { createWorld, type World } from './world.ts';

let server: TestServer;
let world: World;
let backup: string;
let before: string;
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create database pristine');
  await server.psql(
    `create table customers (id int primary key, name text);
     create table orders (id serial primary key, customer int references customers, note text);
     create index on orders (note);
     create table lines (order_id int references orders, line int, primary key (order_id, line));
     create view public.open_orders as select * from orders;
     insert into customers select n, 'customer ' || n from generate_series(1, 100) n;
     insert into orders (customer, note) select n, 'note' from generate_series(1, 100) n;
     insert into lines select n, 1 from generate_series(1, 100) n`,
    'pristine',
  );
  await server.psql('create database shop template pristine');
  backup = await world.backUp({ logical: { databases: { include: ['shop'] } } });
  before = await whole();
});
beforeEach(async () => {
  for (const name of await databases(server)) {
    if (!['pristine', 'postgres', 'template0', 'template1'].includes(name)) {
      await server.psql(`drop database "${name}" with (force)`);
    }
  }
  await server.psql('create database shop template pristine');
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

const whole = async () => `${await stateOf(server, 'shop')}\n${await fingerprint(server, 'shop')}`;
const restore = (database: object, more: object = {}, options: object = {}) =>
  world.restore(backup, { databases: [{ name: 'shop', ...database }], ...more }, options);
/** A backup whose restore fails half-way: it names a role that has gone, in a policy, where nobody looks before. */
async function backUpWithLostRole(): Promise<string> {
  await server.psql('create role passing; create database policed');
  await server.psql(
    'create table t (); alter table t enable row level security; create policy p on t to passing',
    'policed',
  );
  const made = await world.backUp({ logical: { databases: { include: ['policed'] } } });
  await server.psql('drop database policed; drop role passing');
  return made;
}
const damageData = () =>
  server.psql(
    "delete from lines; update orders set note = 'lost'; delete from orders where id > 50; drop index orders_note_idx",
    'shop',
  );

describe('Fail', () => {
  test('refuses a database that has any of the objects, and touches nothing', async () => {
    await damageData();
    const all = await stateOfAll(server);
    const { error } = await restore({});
    expect(error).toMatchObject({ reason: 'TargetExists', retryable: false });
    expect(error?.message).toMatch(/already has \d+ of the objects.*table public\.customers.*onConflict: Clean/);
    expect(await stateOfAll(server)).toBe(all);
  });

  test('restores into an empty database that is there', async () => {
    await server.psql('create database empty');
    expect((await restore({ targetName: 'empty' })).error).toBeUndefined();
    expect(await stateOf(server, 'empty')).toBe(await stateOf(server, 'shop'));
  });

  test('restores beside other objects, and an error takes back all of it', async () => {
    await server.psql('create database other');
    await server.psql(
      "create function clash() returns event_trigger language plpgsql as $$ begin if tg_tag = 'CREATE VIEW' then raise 'no views here'; end if; end $$; create event trigger clash on ddl_command_start execute function clash(); create table mine ()",
      'other',
    );
    const other = await stateOf(server, 'other');
    const { error } = await restore({ targetName: 'other' });
    expect(error?.message).toMatch(/It was one transaction, so database other is as it was\..*no views here/);
    expect(await stateOf(server, 'other')).toBe(other);
  });

  test('a failed restore into a new database leaves no database', async () => {
    const { error } = await world.restore(await backUpWithLostRole(), {
      databases: [{ name: 'policed', targetName: 'fresh' }],
    });
    expect(error).toMatchObject({ reason: 'RoleMissing' });
    expect(error?.message).toMatch(/unfinished new database was removed, and nothing was changed/);
    expect(await databases(server)).toEqual(['postgres', 'pristine', 'shop', 'template0', 'template1']);
  });

  test('with several jobs an error says that what was restored stays, and is not tried again', async () => {
    await server.psql('create database parallel');
    const { error } = await world.restore(await backUpWithLostRole(), {
      databases: [{ name: 'policed', targetName: 'parallel' }],
      jobs: 2,
    });
    expect(error).toMatchObject({ reason: 'RoleMissing', retryable: false });
    expect(error?.message).toMatch(/not one transaction \(jobs is 2\), so what was restored until then stays/);
    expect(await server.psql('select count(*) from t', 'parallel')).toBe('0');
  });

  test('DataOnly fills empty tables, and refuses tables that have rows', async () => {
    await server.psql('truncate lines, orders, customers', 'shop');
    await server.psql("select setval('orders_id_seq', 1, false)", 'shop');
    expect((await restore({ content: 'DataOnly' })).error).toBeUndefined();
    expect(await whole()).toBe(before);
    const again = await restore({ content: 'DataOnly' });
    expect(again.error).toMatchObject({ reason: 'TargetExists' });
    expect(again.error?.message).toMatch(/public\.customers/);
    expect(await whole()).toBe(before);
    await server.psql('drop table lines', 'shop');
    expect((await restore({ content: 'DataOnly' })).error).toMatchObject({ reason: 'MissingDependency' });
  });

  test('SchemaOnly makes the objects without rows', async () => {
    expect((await restore({ content: 'SchemaOnly', targetName: 'shape' })).error).toBeUndefined();
    expect(await stateOf(server, 'shape', '--schema-only')).toBe(await stateOf(server, 'shop', '--schema-only'));
    expect(await server.psql('select count(*) from orders', 'shape')).toBe('0');
  });
});

describe('Clean', () => {
  test('drops and restores the whole database, and leaves what is not in the backup', async () => {
    await damageData();
    await server.psql('create table mine as select 1 as a', 'shop');
    const { error, status } = await restore({ onConflict: 'Clean' });
    expect(error).toBeUndefined();
    expect(JSON.stringify(status.plan)).toMatch(/drop \d+ objects that the backup brings back/);
    expect(await server.psql('select a from mine; drop table mine', 'shop')).toBe('1');
    expect(await whole()).toBe(before);
  });

  test('of one table, with the keys of other tables that point at it', async () => {
    await server.psql(
      "update customers set name = 'lost'; create table mine (customer int references customers); insert into mine values (1)",
      'shop',
    );
    const refused = await restore({ onConflict: 'Clean', tables: { include: ['customers'] } });
    expect(refused.error).toMatchObject({ reason: 'DependentObjects' });
    expect(refused.error?.message).toMatch(/is as it was.*table mine depends|mine_customer_fkey/);
    expect(await server.psql('select distinct name from customers', 'shop')).toBe('lost');
    await server.psql('drop table mine', 'shop');
    expect((await restore({ onConflict: 'Clean', tables: { include: ['customers'] } })).error).toBeUndefined();
    expect(await whole()).toBe(before);
  });

  test('names the view that is in the way', async () => {
    const { error } = await restore({ onConflict: 'Clean', tables: { include: ['orders'] } });
    expect(error).toMatchObject({ reason: 'DependentObjects' });
    expect(error?.message).toContain('view public.open_orders');
    expect(await whole()).toBe(before);
  });
});

describe('Replace', () => {
  test('puts the backup in the place of the database, with clients connected to it', async () => {
    await damageData();
    await server.psql('create table mine ()', 'shop');
    const client = server.psql('select pg_sleep(60)', 'shop').catch((error: Error) => error.message);
    const { error, outcome } = await restore({ onConflict: 'Replace' }, { jobs: 2 });
    expect(error).toBeUndefined();
    expect(outcome).toMatchObject({ reason: 'Restored' });
    expect(await client).toMatch(/terminating connection/);
    expect(await whole()).toBe(before);
    expect(await databases(server)).toEqual(['postgres', 'pristine', 'shop', 'template0', 'template1']);
  });

  test('keeps the old database as it was when the restore fails', async () => {
    await damageData();
    const all = await stateOfAll(server);
    const other = await backUpWithLostRole();
    const { error } = await world.restore(other, {
      databases: [{ name: 'policed', targetName: 'shop', onConflict: 'Replace' }],
    });
    expect(error).toMatchObject({ reason: 'RoleMissing' });
    expect(error?.message).toMatch(/unfinished new database was removed, and database shop is as it was/);
    expect(await stateOfAll(server)).toBe(all);
  });

  test('keeps the old database beside the new one when an assertion fails', async () => {
    await damageData();
    const { error, status } = await restore(
      { onConflict: 'Replace' },
      { assertions: [{ database: 'shop', query: 'select count(*) from orders', expect: '99' }] },
    );
    expect(error).toMatchObject({ reason: 'AssertionFailed' });
    const kept = /shop_before_\w+/.exec(error?.message ?? '')?.[0] ?? '';
    expect(await server.psql('select count(*) from orders', kept)).toBe('50');
    expect(await server.psql('select count(*) from orders', 'shop')).toBe('100');
    expect(status.assertions).toMatchObject([{ got: '100', expect: '99', passed: false }]);
  });

  test('keeps every old database where several are of one second, and of names that are cut alike', async () => {
    const { host, port, superuser: username, password } = server;
    const access = { host, port, username, password, tls: { mode: 'disable' as const }, secret: 'shop/admin' };
    const connect: Connect = (use) => withConnection(access, 'postgres', AbortSignal.timeout(60_000), use);
    const names = ['a', 'a', 'b', 'b'].map((last) => 'long'.repeat(14) + last);
    for (const name of new Set(names)) await server.psql(`create database ${name}`);
    const kept = [];
    for (const [at, name] of names.entries()) {
      await server.psql(`create database restored; comment on database restored is '${at}'`);
      kept.push(await swapDatabases(connect, { temporary: 'restored', name }));
    }
    expect(new Set(kept).size).toBe(names.length);
    expect(await databases(server)).toEqual(expect.arrayContaining([...kept, ...names]));
  });
});

describe('exitOnError: false', () => {
  test('counts the errors and reports the first of them', async () => {
    await server.psql('drop table lines', 'shop');
    await server.psql('create database partly');
    await server.psql(
      "create function clash() returns event_trigger language plpgsql as $$ begin raise 'no views here'; end $$; create event trigger clash on ddl_command_start when tag in ('CREATE VIEW') execute function clash()",
      'partly',
    );
    const { error, outcome, status } = await restore({ targetName: 'partly' }, { exitOnError: false });
    expect(error).toBeUndefined();
    expect(outcome?.reason).toBe('RestoredWithErrors');
    expect(status.restored).toMatchObject({ databases: 1, errors: 2 });
    expect(JSON.stringify(status.restored)).toMatch(
      /VIEW open_orders postgres: could not execute query: ERROR: {2}no views here/,
    );
    expect(await server.psql('select count(*) from lines', 'partly')).toBe('100');
  });
});
