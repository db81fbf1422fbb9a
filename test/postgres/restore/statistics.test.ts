import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createWorld, type World } from './world.ts';

let server: TestServer;
let world: World;
beforeAll(async () => {
  // Nobody else makes them.
  server = await startPostgres({ settings: { autovacuum: 'off' } });
  world = await createWorld(server);
  await server.psql('create database shop');
  await server.psql(
    `create table orders as select n as id, n % 7 as kind from generate_series(1, 5000) n;
     create table customers as select n as id from generate_series(1, 300) n;
     create materialized view kinds as select kind, count(*) from orders group by kind;`,
    'shop',
  );
});
afterAll(async () => {
  await world?.remove();
  await server?.stop();
});
beforeEach(() => server.psql('drop database if exists again'));

/** Relations that have statistics, and how many rows the planner takes them to have. */
const known = `select string_agg(relname || ' ' || reltuples, ', ' order by relname) from pg_class c
  where relnamespace = 'public'::regnamespace and exists (select from pg_stats where tablename = c.relname)`;

test.each(['Plain', 'Custom', 'Directory', 'Tar'])(
  'the planner knows what came back from %s at once',
  async (format) => {
    const backup = await world.backUp({ logical: { format, databases: { include: ['shop'] } } });
    const { error } = await world.restore(backup, { databases: [{ name: 'shop', targetName: 'again' }] });
    expect(error).toBeUndefined();
    expect(await server.psql(known, 'again')).toBe('customers 300, kinds 7, orders 5000');
  },
);

test('of tables alone they are those that came back', async () => {
  const backup = await world.backUp({ logical: { databases: { include: ['shop'] } } });
  const tables = { include: ['orders'] };
  const { error } = await world.restore(backup, { databases: [{ name: 'shop', targetName: 'again', tables }] });
  expect(error).toBeUndefined();
  expect(await server.psql(known, 'again')).toBe('orders 5000');
});

test('a database that is new on the server is in the next backup by itself, with its size', async () => {
  const backUpAll = () => world.backUp({ logical: { databases: { include: ['*'], exclude: ['postgres'] } } });
  const restoreInto = (backup: string) =>
    world.restore(backup, { databases: [{ name: 'fresh', targetName: 'again' }] });
  const before = await backUpAll();
  await server.psql('create database fresh');
  await server.psql('create table t as select 42 as answer', 'fresh');
  const after = await backUpAll();
  expect((await restoreInto(before)).error?.message).toContain('fresh');
  expect((await restoreInto(after)).error).toBeUndefined();
  expect(await server.psql('select answer from t', 'again')).toBe('42');
});
