import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogicalManifest } from '../../../src/domain/manifest.ts';
import type { ServerAccess } from '../../../src/postgres/access.ts';
import { withConnection } from '../../../src/postgres/query.ts';
import { readSourceFacts } from '../../../src/postgres/source-facts.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, stateOf, stateOfAll } from './state.ts';
import { editManifest } from './stored-dump.ts';
import { contentsOf, createWorld, type World } from './world.ts';

let server: TestServer;
let world: World;
const backups = new Map<string, string>();
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create role app; create database shop');
  await server.psql(
    `create extension hstore version '1.7'; create extension pg_trgm;
     create table customers (id int generated always as identity primary key, name text);
     create table orders (id serial primary key, customer int references customers, note text);
     create sequence free_numbers; create table tickets (number int default nextval('free_numbers'), primary key (number));
     create table big as select n, repeat('x', 500) as filler from generate_series(1, 5000) n;
     create table audit (what text);
     create function log_it() returns trigger language plpgsql as $$ begin insert into audit values (tg_name); return new; end $$;
     create trigger plain after insert on orders for each row execute function log_it();
     create trigger sleeping after insert on orders for each row execute function log_it();
     create trigger always after insert on orders for each row execute function log_it();
     alter table orders disable trigger sleeping, enable always trigger always;
     insert into customers (name) select 'c' || n from generate_series(1, 50) n;
     insert into orders (customer, note) select n, 'n' from generate_series(1, 50) n;
     insert into tickets select nextval('free_numbers') from generate_series(1, 9);
     truncate audit`,
    'shop',
  );
  for (const format of ['Custom', 'Directory', 'Tar']) {
    backups.set(format, await world.backUp({ logical: { format, databases: { include: ['shop'] } } }));
  }
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

/** The manifest's databases with what the source's own catalog says of this one. */
async function withFacts({ logical }: LogicalManifest, database: string) {
  const { host, port, superuser, password } = server;
  const access: ServerAccess = { host, port, username: superuser, password, secret: 'admin', tls: { mode: 'disable' } };
  const facts = await withConnection(access, database, new AbortController().signal, readSourceFacts);
  return logical.databases.map((one) => ({ ...one, ...facts }));
}

const backup = (format = 'Custom') => backups.get(format) ?? '';
const drop = (name: string) => server.psql(`drop database if exists "${name}" with (force)`);
const planOf = (status: Readonly<Record<string, unknown>>) =>
  (status['plan'] as readonly { readonly step: string }[]).map(({ step }) => step);

describe.each(['Custom', 'Directory', 'Tar'])('sequences after a restore from %s', (format) => {
  const next = async (database: string) => {
    // Each insert takes the next number: one that is there already would be refused.
    await server.psql(
      `insert into customers (name) values ('new'); insert into orders (customer) values (1); insert into tickets default values`,
      database,
    );
    const numbers = 'select max(id) from customers; select max(id) from orders; select max(number) from tickets';
    return server.psql(numbers, database);
  };
  const restore = async (targetName: string, choice: object = {}) => {
    const { error } = await world.restore(backup(format), { databases: [{ name: 'shop', targetName, ...choice }] });
    expect(error).toBeUndefined();
  };

  test('go on behind the rows: whole, by tables, and rows only', async () => {
    await Promise.all(['whole', 'parts', 'rows'].map(drop));
    await restore('whole');
    expect(await next('whole')).toBe('51\n51\n10');
    await restore('parts', { tables: { include: ['customers', 'orders', 'tickets', 'audit'] } });
    expect(await next('parts')).toBe('51\n51\n10');
    await restore('rows', { content: 'SchemaOnly' });
    await restore('rows', { content: 'DataOnly' });
    expect(await server.psql('select count(*) from audit', 'rows')).toBe('0');
    expect(await next('rows')).toBe('51\n51\n10');
  });
});

test('rows only leave every trigger as it was', async () => {
  await drop('rows');
  await world.restore(backup(), { databases: [{ name: 'shop', targetName: 'rows', content: 'SchemaOnly' }] });
  const states = () =>
    server.psql('select tgname, tgenabled from pg_trigger where not tgisinternal order by 1', 'rows');
  expect(await states()).toBe('always|A\nplain|O\nsleeping|D');
  const spec = { databases: [{ name: 'shop', targetName: 'rows', content: 'DataOnly' }] };
  expect((await world.restore(backup(), spec)).error).toBeUndefined();
  expect(await server.psql('select count(*) from orders; select count(*) from audit', 'rows')).toBe('50\n0');
  expect(await states()).toBe('always|A\nplain|O\nsleeping|D');
});

test('a Tar gives single tables, in one job, and says so', async () => {
  await drop('part');
  const { error, status } = await world.restore(backup('Tar'), {
    databases: [{ name: 'shop', targetName: 'part', tables: { include: ['customers'] } }],
    jobs: 4,
  });
  expect(error).toBeUndefined();
  expect(planOf(status).join('\n')).toContain('in one job, because pg_restore reads a Tar in its order');
  expect(await server.psql('select count(*) from customers', 'part')).toBe('50');
});

test('a list for a Tar must keep its order', async () => {
  const contents = (await contentsOf(world, backup('Tar'))).split('\n');
  const rows = contents.filter((line) => line.includes(' TABLE DATA '));
  const others = contents.filter((line) => !line.includes(' TABLE DATA '));
  const listFile = { configMapRef: { name: 'list', key: 'all' } };
  const spec = { databases: [{ name: 'shop', targetName: 'listed', listFile }] };
  await world.mountList(0, 'all', [...others, ...rows.toReversed()].join('\n'));
  const refused = await world.restore(backup('Tar'), spec);
  expect(refused.error).toMatchObject({ reason: 'InvalidRequest', retryable: false });
  expect(refused.error?.message).toMatch(/another order.*contents\.list/);
  await world.mountList(0, 'all', contents.filter((line) => /EXTENSION|big/.test(line)).join('\n'));
  expect((await world.restore(backup('Tar'), spec)).error).toBeUndefined();
  expect(await server.psql('select count(*) from big', 'listed')).toBe('5000');
});

test('a dry run lists what would come, go and be replaced, with sizes, and touches nothing', async () => {
  const before = await stateOfAll(server);
  const dryRun = (choice: object) =>
    world.restore(backup(), { databases: [{ name: 'shop', ...choice }], dryRun: true });
  const clean = await dryRun({ onConflict: 'Clean' });
  expect(clean.outcome?.reason).toBe('Planned');
  const steps = planOf(clean.status);
  const big = Number(await server.psql("select round(pg_total_relation_size('big') / 1024.0 / 1024, 1)", 'shop'));
  expect(big).toBeGreaterThan(2);
  const first = steps.indexOf(`drop table public.big of shop (${big.toFixed(1)} MiB)`);
  expect(first).toBeGreaterThan(-1);
  expect(first).toBeLessThan(steps.findIndex((step) => step.startsWith('drop table public.orders')));
  expect(steps.find((step) => step.startsWith('create tables'))).toMatch(/in shop \(5\): .*public\.orders/);
  const replace = await dryRun({ onConflict: 'Replace' });
  expect(planOf(replace.status).join('\n')).toMatch(
    /beside shop \([\d.]+ MiB\)[\s\S]*drop the old database shop \([\d.]+ MiB\)/,
  );
  const create = await dryRun({ targetName: 'never' });
  expect(planOf(create.status).join('\n')).toMatch(/create database never .*[\s\S]*MiB at the time of the backup/);
  expect(await stateOfAll(server)).toBe(before);
});

test('the versions of extensions are told, those of the source where the backup knows them', async () => {
  const known = await world.backUp({ logical: { databases: { include: ['shop'] } } });
  await editManifest(world, known, async (manifest) => ({
    ...manifest,
    logical: { ...manifest.logical, databases: await withFacts(manifest, 'shop') },
  }));
  await drop('extended');
  const { error, status } = await world.restore(known, { databases: [{ name: 'shop', targetName: 'extended' }] });
  expect(error).toBeUndefined();
  expect(status['restored']).toMatchObject({
    extensions: [
      { database: 'extended', name: 'hstore', version: '1.8', sourceVersion: '1.7' },
      { database: 'extended', name: 'pg_trgm', version: '1.6', sourceVersion: '1.6' },
    ],
  });
  expect(planOf(status)).toContain(
    'extension hstore comes in version 1.8 in extended, and had version 1.7 in the source',
  );
});

describe('a backup that lacks a database', () => {
  let part: string;
  beforeAll(async () => {
    part = await world.backUp({ logical: { databases: { include: ['shop'] } } });
    const failed = [{ name: 'lost', reason: 'PermissionDenied', message: 'table x is not readable.' }];
    await editManifest(world, part, async (manifest) => ({ ...manifest, logical: { ...manifest.logical, failed } }));
  });

  test('gives what it has by name', async () => {
    await drop('some');
    const { error } = await world.restore(part, { databases: [{ name: 'shop', targetName: 'some' }] });
    expect(error).toBeUndefined();
    expect(await stateOf(server, 'some')).toBe(await stateOf(server, 'shop'));
  });

  test.each([
    { asked: 'all of it', spec: {} },
    { asked: 'the lost one', spec: { databases: [{ name: 'lost' }] } },
    {
      asked: 'the lost one among others',
      spec: { databases: [{ name: 'shop', targetName: 'other' }, { name: 'lost' }] },
    },
  ])('refuses $asked with the reason why it is not there', async ({ spec }) => {
    const before = await databases(server);
    const { error } = await world.restore(part, spec);
    expect(error).toMatchObject({ reason: 'DatabaseNotInBackup', retryable: false });
    expect(error?.message).toMatch(/lost.*PermissionDenied: table x is not readable\..*Nothing was changed/);
    expect(await databases(server)).toEqual(before);
  });
});

const makeIcu = (name: string, locale: string) =>
  server.psql(
    `create database ${name} owner app encoding 'UTF8' template template0 locale_provider icu icu_locale '${locale}' locale 'C.UTF-8'`,
  );

test.each(['Custom', 'Tar', 'Plain'])(
  'an ICU database comes back with its provider and locale (%s)',
  async (format) => {
    await drop('deutsch');
    await makeIcu('deutsch', 'de-u-co-phonebk');
    await server.psql("create table t as select unnest(array['a', 'ä', 'b', 'Z', 'af']) as word", 'deutsch');
    const logical = { format, databases: { include: ['deutsch'] }, create: format === 'Plain' };
    const made = await world.backUp({ logical });
    await drop('deutsch2');
    const spec = { databases: [{ name: 'deutsch', targetName: 'deutsch2' }] };
    expect((await world.restore(made, spec)).error).toBeUndefined();
    expect(
      await server.psql(
        `select datlocprovider, daticulocale, datcollate, datctype, pg_encoding_to_char(encoding), datdba::regrole
         from pg_database where datname = 'deutsch2'`,
      ),
    ).toBe('i|de-u-co-phonebk|C.UTF-8|C.UTF-8|UTF8|app');
    expect(await server.psql('select string_agg(word, $$ $$ order by word) from t', 'deutsch2')).toBe('a ä af b Z');
  },
);

test('a Plain dump without CREATE DATABASE takes the locale provider from the manifest', async () => {
  await makeIcu('svenska', 'sv');
  const made = await world.backUp({ logical: { format: 'Plain', databases: { include: ['svenska'] } } });
  await editManifest(world, made, async (manifest) => ({
    ...manifest,
    logical: { ...manifest.logical, databases: await withFacts(manifest, 'svenska') },
  }));
  await drop('svenska');
  expect((await world.restore(made, {})).error).toBeUndefined();
  const provider = "select datlocprovider, daticulocale from pg_database where datname = 'svenska'";
  expect(await server.psql(provider)).toBe('i|sv');
});
