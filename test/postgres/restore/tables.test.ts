import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { fingerprint, stateOf } from './state.ts';
import { contentsOf, createWorld, storedFiles, type World } from './world.ts';

let server: TestServer;
let world: World;
let backup: string;
let before: string;
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
  world = await createWorld(server);
  await server.psql('create database pristine');
  await server.psql(await readFile('test/postgres/restore/odd.sql', 'utf8'), 'pristine');
  await server.psql('create database odd template pristine');
  backup = await world.backUp({ logical: { databases: { include: ['odd'] } } });
  before = await whole();
});
beforeEach(async () => {
  await server.psql('drop database odd with (force)');
  await server.psql('create database odd template pristine');
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

const whole = async () => `${await stateOf(server, 'odd')}\n${await fingerprint(server, 'odd')}`;
const restore = (tables: object, more: object = {}) =>
  world.restore(backup, { databases: [{ name: 'odd', tables, ...more }] });

describe('dropped tables come back with all that hangs on them', () => {
  test.each([
    [
      'a table with triggers, rules, policies, grants, comments, an identity',
      'drop table plain.parent cascade',
      ['plain.parent', 'plain."parent child"', 'plain.happy'],
    ],
    ['a table with an odd name in an odd schema', 'drop schema "odd.schema" cascade', ['"odd.schema".*']],
    [
      'a partitioned table, its partitions and what points at it',
      'drop table plain.measures cascade; drop materialized view if exists plain.sums',
      ['plain.measures', 'plain.sums'],
    ],
    ['one partition, and what points at the whole', 'drop table plain.measures_2025 cascade', ['plain.measures_2025']],
    ['a table that points at itself', 'drop table plain.lonely', ['lonely']],
    [
      'a table whose type, function and sequence are gone too',
      'drop table plain."parent child", plain.parent cascade; drop type plain.mood; drop function plain.twice, plain.touch; drop sequence plain.shared_numbers; drop domain plain.positive',
      ['plain.*arent*', 'plain.happy'],
    ],
    ['a view', 'drop view plain.happy', ['plain.happy']],
    [
      'a sequence',
      'alter table plain.parent alter number drop default; drop sequence plain.shared_numbers; ',
      ['plain.shared_numbers'],
    ],
  ])('%s', async (name, sql, include) => {
    await server.psql(sql, 'odd');
    const { error, outcome } = await restore({ include });
    expect(error).toBeUndefined();
    expect(outcome?.reason).toBe('Restored');
    if (name === 'a sequence')
      await server.psql("alter table plain.parent alter number set default nextval('plain.shared_numbers')", 'odd');
    expect(await whole()).toBe(before);
  });
});

test('a schema comes back whole', async () => {
  await server.psql('drop schema plain cascade', 'odd');
  const { error } = await world.restore(backup, { databases: [{ name: 'odd', schemas: { include: ['plain'] } }] });
  expect(error).toBeUndefined();
  // The publication and the other schema's foreign key went with it.
  const comparable = (text: string) =>
    text
      .split('\n')
      .filter((line) => !/PUBLICATION/.test(line))
      .join('\n');
  expect(comparable(await whole())).toBe(comparable(before));
});

test('one table goes into a new database with the schema, types and functions that it needs, without keys to others', async () => {
  const { error, status } = await world.restore(backup, {
    databases: [{ name: 'odd', targetName: 'only_table', tables: { include: ['readings', 'plain.parent'] } }],
  });
  expect(error).toBeUndefined();
  expect(await server.psql('select count(*) from plain.readings', 'only_table')).toBe('400');
  expect(await server.psql('select count(*), max(doubled) from only plain.parent', 'only_table')).toBe('50|100');
  const plan = JSON.stringify(status.plan);
  expect(plan).toMatch(
    /leave out fk constraint plain\.readings readings_at_place_fkey, because only_table has no table plain\.measures/,
  );
  expect(plan).toMatch(/because the others need it and only_table lacks it: schema plain/);
  expect(
    await server.psql(
      "select string_agg(relname, ' ' order by relname) from pg_class where relkind in ('r', 'p') and relnamespace = 'plain'::regnamespace",
      'only_table',
    ),
  ).toBe('parent readings');
  await server.psql('drop database only_table');
});

test('what is excluded stays away, with its partitions and indexes', async () => {
  const { error } = await world.restore(backup, {
    databases: [
      {
        name: 'odd',
        targetName: 'less',
        tables: { exclude: ['measures*', 'readings', 'plain.sums'] },
        schemas: { exclude: ['"odd.schema"'] },
      },
    ],
  });
  expect(error).toBeUndefined();
  expect(
    await server.psql(
      "select string_agg(relname, ' ' order by relname) from pg_class where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text !~ '^pg_|information_schema'",
      'less',
    ),
  ).toBe('happy lonely parent parent child');
  expect(await server.psql("select count(*) from pg_namespace where nspname = 'odd.schema'", 'less')).toBe('0');
  expect(await server.psql('select count(*) from pg_largeobject_metadata', 'less')).toBe('1');
  await server.psql('drop database less');
});

test('a list file is used as it is', async () => {
  await server.psql('drop table plain.lonely', 'odd');
  const lines = (await contentsOf(world, backup))
    .split('\n')
    .filter((line) => / plain lonely /.test(line) && !/FK CONSTRAINT/.test(line));
  await world.mountList(0, 'list', `; chosen by hand\n${lines.join('\n')}\n`);
  const listFile = { configMapRef: { name: 'lists', key: 'list' } };
  const { error } = await world.restore(backup, { databases: [{ name: 'odd', listFile }] });
  expect(error).toBeUndefined();
  expect(
    await server.psql(
      "select count(*), (select count(*) from pg_constraint where contype = 'f' and conrelid = 'plain.lonely'::regclass) from plain.lonely",
      'odd',
    ),
  ).toBe('3|0');
  const both = await world.restore(backup, { databases: [{ name: 'odd', listFile, tables: { include: ['lonely'] } }] });
  expect(both.error).toMatchObject({ reason: 'InvalidRequest' });
  const absent = await world.restore(backup, {
    databases: [{ name: 'odd', listFile: { configMapRef: { name: 'lists', key: 'none' } } }],
  });
  expect(absent.error?.message).toMatch(/ConfigMap lists .* has no key none/);
});

test('the sections that pg_restore knows, each by its list, make the whole one after the other', async () => {
  const stored = (await storedFiles(world, backup)).find((path) => path.includes('/dump.custom')) ?? '';
  const { stdout: dump } = await execa('zstd', ['-q', '-d', '-c', stored], { encoding: 'buffer' });
  for (const section of ['pre-data', 'data', 'post-data']) {
    const { stdout } = await execa(join(server.bin, 'pg_restore'), ['--list', `--section=${section}`], { input: dump });
    await world.mountList(0, section, stdout);
    const listFile = { configMapRef: { name: 'lists', key: section } };
    const { error } = await world.restore(backup, { databases: [{ name: 'odd', targetName: 'parts', listFile }] });
    expect(error, section).toBeUndefined();
  }
  expect(`${await stateOf(server, 'parts')}\n${await fingerprint(server, 'parts')}`).toBe(before);
  await server.psql('drop database parts');
});

test('sections one after the other make the whole; those that need the tables refuse a database without', async () => {
  const part = async (...sections: readonly string[]) =>
    (await world.restore(backup, { databases: [{ name: 'odd', targetName: 'parts', sections }] })).error;
  const refused = await part('Data', 'PostData');
  expect(refused).toMatchObject({ reason: 'TargetMissing', message: expect.stringContaining('PreData') });
  expect(await part('PreData')).toBeUndefined();
  expect(await server.psql('select count(*) from pg_constraint where contype = $$f$$', 'parts')).toBe('0');
  expect(await part('Data')).toBeUndefined();
  expect(await part('PostData')).toBeUndefined();
  expect(`${await stateOf(server, 'parts')}\n${await fingerprint(server, 'parts')}`).toBe(before);
  await server.psql('drop database parts');
});

test.each([
  ['a table that is not there', { include: ['plain.readngs'] }, 'NothingMatches', /plain\.readngs.*plain\.readings/],
  ['a table in capitals', { include: ['plain."READINGS"'] }, 'NothingMatches', /plain\.readings[\s\S]*lower case/],
  ['a view without its table', { include: ['plain.sums'] }, 'MissingDependency', /table plain\.measures/],
  ['a pattern that is none', { include: ['a.b.c.d'] }, 'InvalidPattern', /dot/],
])('%s is refused, and nothing is touched', async (_, tables, reason, words) => {
  await server.psql('drop table plain.measures cascade; drop materialized view if exists plain.sums', 'odd');
  const untouched = await whole();
  const { error } = await restore(tables);
  expect(error).toMatchObject({ reason, retryable: false });
  expect(error?.message).toMatch(words);
  expect(await whole()).toBe(untouched);
});
