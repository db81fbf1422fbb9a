import { access, readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, stateOf, stateOfAll } from './state.ts';
import { dumpOf, storeDump } from './stored-dump.ts';
import { createWorld, type World } from './world.ts';

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
  world = await createWorld(server);
  await server.psql('create database odd');
  await server.psql(await readFile('test/postgres/restore/odd.sql', 'utf8'), 'odd');
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

const drop = (...names: readonly string[]) =>
  server.psql(names.map((name) => `drop database if exists "${name}";`).join('\n'));
const store = async (database: string, ...args: readonly string[]) =>
  storeDump(world, database, { format: 'Plain', bytes: await dumpOf(server, database, args) });

test.each([
  { made: 'as it is', args: [] },
  { made: 'to be cleaned', args: ['--clean', '--if-exists'] },
  { made: 'with its database', args: ['--create', '--clean'] },
  { made: 'with INSERT', args: ['--rows-per-insert=7'] },
  { made: 'with every comment', args: ['--verbose'] },
])('a script made $made becomes a new database that is the same', async ({ args }) => {
  const backup = await store('odd', ...args);
  const { error, outcome, status, progress } = await world.restore(backup, {
    databases: [{ name: 'odd', targetName: 'odd 2' }],
    jobs: 4,
  });
  expect(error).toBeUndefined();
  expect(outcome?.reason).toBe('Restored');
  expect(status).toMatchObject({ restored: { databases: 1, errors: 0 } });
  expect(JSON.stringify(status['plan'])).toContain('in one job, because psql runs a Plain dump in its order');
  expect(progress.at(-1)).toMatchObject({ step: 'restored', percent: 100 });
  expect(await stateOf(server, 'odd 2')).toBe(await stateOf(server, 'odd'));
  await drop('odd 2');
});

test('into an existing database it is one transaction, large objects included', async () => {
  await server.psql('create database mine');
  await server.psql('create table public.kept as select 1 as a', 'mine');
  const backup = await store('odd');
  const { error } = await world.restore(backup, { databases: [{ name: 'odd', targetName: 'mine' }] });
  expect(error).toBeUndefined();
  expect(await server.psql("select convert_from(lo_get(9001), 'UTF8')", 'mine')).toBe('large');
  await drop('mine');

  await server.psql('create database mine');
  // It is nothing that a look at the names would show: the error comes at the script's end.
  await server.psql(
    "create function public.refuse() returns event_trigger language plpgsql as $$ begin raise exception 'not now'; end $$; create event trigger no_policy on ddl_command_end when tag in ('CREATE POLICY') execute function public.refuse()",
    'mine',
  );
  const before = await stateOfAll(server);
  const failed = await world.restore(backup, { databases: [{ name: 'odd', targetName: 'mine' }] });
  expect(failed.error?.message).toMatch(/one transaction, so database mine is as it was.*not now/);
  expect(await stateOfAll(server)).toBe(before);
  expect(await server.psql('select count(*) from pg_largeobject_metadata', 'mine')).toBe('0');
  await drop('mine');
});

test('what is there already is refused before anything is run', async () => {
  const backup = await store('odd');
  const before = await stateOfAll(server);
  const { error } = await world.restore(backup, { databases: [{ name: 'odd' }] });
  expect(error).toMatchObject({ reason: 'TargetExists', retryable: false });
  expect(await stateOfAll(server)).toBe(before);
});

test('onConflict: Clean needs a script that drops, and brings everything back', async () => {
  const simple = await store('odd');
  const refused = await world.restore(simple, { databases: [{ name: 'odd', onConflict: 'Clean' }] });
  expect(refused.error).toMatchObject({ reason: 'PlainDump' });
  expect(refused.error?.message).toMatch(/logical.clean.*Replace/);

  const cleaning = await store('odd', '--clean', '--if-exists');
  const before = await stateOf(server, 'odd');
  await server.psql('delete from plain.lonely; drop table plain.readings', 'odd');
  const { error } = await world.restore(cleaning, { databases: [{ name: 'odd', onConflict: 'Clean' }] });
  expect(error).toBeUndefined();
  expect(await stateOf(server, 'odd')).toBe(before);
});

test('onConflict: Replace puts a new database in the place of the old one', async () => {
  const backup = await store('odd');
  const before = await stateOf(server, 'odd');
  await server.psql('create table public.late (); drop table plain.lonely', 'odd');
  const { error } = await world.restore(backup, { databases: [{ name: 'odd', onConflict: 'Replace' }] });
  expect(error).toBeUndefined();
  expect(await stateOf(server, 'odd')).toBe(before);
  expect((await databases(server)).filter((name) => name.startsWith('odd'))).toEqual(['odd']);
});

test.each([
  { asked: { tables: { include: ['plain.parent'] } }, says: 'a choice of tables' },
  { asked: { schemas: { exclude: ['plain'] } }, says: 'a choice of schemas' },
  { asked: { listFile: { configMapRef: { name: 'list', key: 'list' } } }, says: 'a listFile' },
  { asked: { content: 'SchemaOnly' }, says: 'content: SchemaOnly' },
])('$says is refused with what to do instead', async ({ asked, says }) => {
  const backup = await store('odd');
  const { error } = await world.restore(backup, { databases: [{ name: 'odd', targetName: 'part', ...asked }] });
  expect(error).toMatchObject({ reason: 'PlainDump', retryable: false });
  expect(error?.message).toContain(says);
  expect(error?.message).toContain('Custom, Directory or Tar');
  expect(await databases(server)).not.toContain('part');
});

test.each([[[]], [['--use-set-session-authorization']]])(
  'noOwner, noPrivileges and role are kept to %s',
  async (args) => {
    await server.psql('drop role if exists stage; create role stage; create role gone; create database owned');
    await server.psql(
      `create table "owner to" (a int); alter table "owner to" owner to gone; grant select on "owner to" to gone; create schema s authorization gone;
     create function f() returns text language sql as $$ select 'ALTER TABLE x OWNER TO gone;' $$`,
      'owned',
    );
    const backup = await store('owned', ...args);
    await drop('owned');
    await server.psql('drop role gone');
    const spec = { databases: [{ name: 'owned' }] };
    expect((await world.restore(backup, spec)).error).toMatchObject({ reason: 'RoleMissing' });
    const { error } = await world.restore(backup, { ...spec, noOwner: true, noPrivileges: true, role: 'stage' });
    expect(error).toBeUndefined();
    expect(await server.psql("select tableowner from pg_tables where tablename = 'owner to'", 'owned')).toBe('stage');
    expect(await server.psql("select nspowner::regrole from pg_namespace where nspname = 's'", 'owned')).toBe('stage');
    expect(await server.psql('select f()', 'owned')).toBe('ALTER TABLE x OWNER TO gone;');
    await drop('owned');
  },
);

test('exitOnError: false counts the errors, and rows of a failed COPY are never run as statements', async () => {
  await server.psql('create database risky');
  await server.psql(
    `create table a (t text); create table b (t text unique); create table c (t text);
     insert into a values ('x; drop table c; select 1'), (E'\\\\! touch /tmp/tidemark-never'), ('; create table never (); ');
     insert into b values ('one'); insert into c values ('here')`,
    'risky',
  );
  const bytes = await dumpOf(server, 'risky', []);
  const broken = bytes
    .toString()
    .replace('CREATE TABLE public.a', 'CREATE TABLE no_schema.a')
    .replace('\none\n', '\none\none\n');
  const backup = await storeDump(world, 'risky', { format: 'Plain', bytes: Buffer.from(broken) });
  const { error, outcome, status } = await world.restore(backup, {
    databases: [{ name: 'risky', targetName: 'risky2' }],
    exitOnError: false,
  });
  expect(error).toBeUndefined();
  expect(outcome?.reason).toBe('RestoredWithErrors');
  // The table, its owner, its rows; the unique index over two equal rows.
  expect(status).toMatchObject({ restored: { errors: 4 } });
  const { firstErrors } = status['restored'] as { readonly firstErrors: readonly string[] };
  expect(firstErrors[0]).toBe(
    'CREATE TABLE no_schema.a: schema "no_schema" does not exist\nLINE 1: CREATE TABLE no_schema.a (\n                     ^',
  );
  expect(firstErrors.join('\n')).toMatch(/COPY public.a: relation "public.a" does not exist/);
  expect(firstErrors.join('\n')).toMatch(/could not create unique index/);
  expect(await server.psql('select t from c', 'risky2')).toBe('here');
  expect(await server.psql("select count(*) from pg_class where relname in ('a', 'never')", 'risky2')).toBe('0');
  await drop('risky', 'risky2');
});

test('rows only go into empty tables, and wake no trigger', async () => {
  await server.psql('create database rows');
  const tables = `create table child (id int primary key, parent int); create table parent (id serial primary key);
     alter table child add foreign key (parent) references parent;
     create function loud() returns trigger language plpgsql as $$ begin raise exception 'woken'; end $$;
     create trigger loud before insert on child for each row execute function loud();`;
  await server.psql(
    `${tables} alter table child disable trigger loud; insert into parent values (7); insert into child values (1, 7); select setval('parent_id_seq', 7); alter table child enable trigger loud`,
    'rows',
  );
  const backup = await store('rows', '--data-only');
  await server.psql('create database rows2');
  await server.psql(tables, 'rows2');
  for (const content of ['DataOnly', 'All']) {
    const spec = { databases: [{ name: 'rows', targetName: 'rows2', content }] };
    const { error, status } = await world.restore(backup, spec);
    expect(error).toBeUndefined();
    expect(status).toMatchObject({ restored: { errors: 0 } });
    expect(await server.psql('select * from child', 'rows2')).toBe('1|7');
    expect(await server.psql("select nextval('parent_id_seq')", 'rows2')).toBe('8');
    expect((await world.restore(backup, spec)).error).toMatchObject({ reason: 'TargetExists' });
    await server.psql('truncate parent, child', 'rows2');
  }
  await drop('rows', 'rows2');
});

test.each([{ exitOnError: true }, { exitOnError: false }])(
  'rows only wake no trigger that fires always or for a replica either (%j), and leave each as it was',
  async ({ exitOnError }) => {
    await server.psql('create database waking; create role clerk');
    const tables = `create schema "S;"; create table "S;"."T'" (id int); grant all on schema "S;" to clerk; grant all on "S;"."T'" to clerk;
     create table log (what text); grant all on log to clerk;
     create function note() returns trigger language plpgsql as $$ begin insert into public.log values (tg_name); return new; end $$;
     create trigger "al""ways" before insert on "S;"."T'" for each row execute function note();
     create trigger replica after insert on "S;"."T'" for each statement execute function note();
     create trigger usual before insert on "S;"."T'" for each row execute function note();
     alter table "S;"."T'" enable always trigger "al""ways", enable replica trigger replica`;
    await server.psql(`${tables}; set session_replication_role = replica; truncate log`, 'waking');
    await server.psql(`insert into "S;"."T'" values (1), (2); truncate log`, 'waking');
    const backup = await store('waking', '--data-only');
    await server.psql('create database waking2');
    await server.psql(tables, 'waking2');
    const states = () => server.psql('select tgname, tgenabled from pg_trigger order by 1', 'waking2');
    const spec = { databases: [{ name: 'waking', targetName: 'waking2', content: 'DataOnly' }] };
    for (const role of ['', 'clerk']) {
      const { error } = await world.restore(backup, { ...spec, role, exitOnError });
      expect(error).toBeUndefined();
      expect(await server.psql(`select id from "S;"."T'"; select * from log`, 'waking2')).toBe('1\n2');
      expect(await states()).toBe('al"ways|A\nreplica|R\nusual|O');
      await server.psql(`truncate "S;"."T'"`, 'waking2');
    }
    // A row that is not wanted there ends it, or is counted; the triggers are what they were.
    await server.psql(`alter table "S;"."T'" add check (id < 2)`, 'waking2');
    const { error, status } = await world.restore(backup, { ...spec, exitOnError });
    if (exitOnError) expect(error?.message).toMatch(/one transaction/);
    else expect(status['restored']).toMatchObject({ errors: 1 });
    expect(await states()).toBe('al"ways|A\nreplica|R\nusual|O');
    await drop('waking', 'waking2');
    await server.psql('drop role clerk');
  },
);

const proof = '/tmp/tidemark-restore-proof';
test.each([
  { way: 'a command between statements', line: `\\! touch ${proof}\n` },
  { way: 'a command within a statement', line: `SELECT 1 \\! touch ${proof}\n;` },
  { way: 'a file', line: `\\o ${proof}\n` },
  { way: 'a pipe', line: `SELECT 1 \\g |touch ${proof}\n` },
  { way: 'a program of COPY', line: `\\copy (SELECT 1) TO PROGRAM 'touch ${proof}'\n` },
  { way: 'a command behind a comment', line: `/* \\*/ \\! touch ${proof}\n` },
  {
    way: 'a command after a string that is none',
    line: `SELECT '\\'; \\! touch ${proof}\n --';`,
  },
  {
    way: 'a command behind an end of rows that only psql knows',
    line: `COPY public.t FROM stdin;\n1\n\\.\r\n\\! touch ${proof}\n\\.\n`,
  },
  {
    way: 'a command that a zero byte hides among rows',
    line: `COPY public.t FROM stdin;\n1\0\n\\.\nSELECT '\n\\.\n\\! touch ${proof}\n';\n`,
  },
  { way: 'rows without an end', line: 'COPY public.t FROM stdin;\n1\n' },
])('a script that would reach out by $way is not run', async ({ line }) => {
  await server.psql('drop database if exists hostile');
  await server.psql('create database hostile');
  await server.psql('create table t (a int)', 'hostile');
  const bytes = (await dumpOf(server, 'hostile', []))
    .toString()
    .replace('--\n-- PostgreSQL database dump complete', `${line}\n--\n-- PostgreSQL database dump complete`);
  expect(bytes).toContain(line);
  const backup = await storeDump(world, 'hostile', { format: 'Plain', bytes: Buffer.from(bytes) });
  const { error } = await world.restore(backup, { databases: [{ name: 'hostile', targetName: 'hostile2' }] });
  await expect(access(proof)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(error).toMatchObject({ reason: 'UnknownFormat', retryable: false });
  expect(error?.message).toContain('nothing of the dump was run');
  expect(await databases(server)).not.toContain('hostile2');
  await rm(proof, { force: true });
  await drop('hostile');
});
