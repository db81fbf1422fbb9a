import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildLabelProvider } from '../../support/postgres/label-provider.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, fingerprint, stateOf } from '../restore/state.ts';
import { createWorld, type World } from '../restore/world.ts';

let server: TestServer;
let world: World;
let before: string;
let rows: string;
beforeAll(async () => {
  server = await startPostgres({
    settings: {
      wal_level: 'logical',
      max_replication_slots: '10',
      session_preload_libraries: await buildLabelProvider(),
    },
  });
  world = await createWorld(server);
  await server.psql('create database everything');
  await server.psql(await readFile('test/postgres/round-trip/everything.sql', 'utf8'), 'everything');
  before = await stateOf(server, 'everything');
  rows = await fingerprint(server, 'everything');
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

/** What pg_dump has words for. */
const kinds = [
  ...['ACCESS METHOD', 'ACL', 'AGGREGATE', 'BLOB', 'CAST', 'CHECK CONSTRAINT', 'COLLATION', 'COMMENT', 'CONSTRAINT'],
  ...['CONVERSION', 'DEFAULT', 'DEFAULT ACL', 'DOMAIN', 'EVENT TRIGGER', 'EXTENSION', 'FK CONSTRAINT', 'FOREIGN TABLE'],
  ...['FOREIGN DATA WRAPPER', 'FUNCTION', 'INDEX', 'INDEX ATTACH', 'MATERIALIZED VIEW', 'MATERIALIZED VIEW DATA'],
  ...['OPERATOR', 'OPERATOR CLASS', 'OPERATOR FAMILY', 'POLICY', 'PROCEDURAL LANGUAGE', 'PROCEDURE', 'PUBLICATION'],
  ...[
    'PUBLICATION TABLE',
    'PUBLICATION TABLES IN SCHEMA',
    'ROW SECURITY',
    'RULE',
    'SCHEMA',
    'SEQUENCE',
    'SEQUENCE SET',
  ],
  ...['SEQUENCE OWNED BY', 'SERVER', 'SHELL TYPE', 'STATISTICS', 'SUBSCRIPTION', 'TABLE', 'TABLE ATTACH', 'TABLE DATA'],
  ...[
    'SECURITY LABEL',
    'TEXT SEARCH CONFIGURATION',
    'TEXT SEARCH DICTIONARY',
    'TEXT SEARCH PARSER',
    'TEXT SEARCH TEMPLATE',
    'TRANSFORM',
  ],
  ...['TRIGGER', 'TYPE', 'USER MAPPING', 'VIEW'],
];

test('the database has every kind of object', () => {
  const present = new Set(before.match(/(?<=; Type: )[A-Z ]+(?=; Schema: )/g));
  expect(kinds.filter((kind) => !present.has(kind))).toEqual([]);
});

describe.each([
  { format: 'Plain', jobs: 1 },
  { format: 'Plain', jobs: 1, create: true, clean: true },
  { format: 'Plain', jobs: 1, inserts: true },
  { format: 'Custom', jobs: 1 },
  { format: 'Custom', jobs: 4 },
  { format: 'Directory', jobs: 4 },
  { format: 'Tar', jobs: 4 },
])('as $format (create $create, inserts $inserts) restored with jobs $jobs', ({ format, jobs, ...choices }) => {
  test('a second dump of the result is the first, and so are the rows', async () => {
    const dumping = format === 'Directory' ? { jobs: 3 } : {};
    const backup = await world.backUp({
      logical: { format, databases: { include: ['everything'] }, ...dumping, ...choices },
    });
    // The first finds nothing, the others replace what the one before made, its subscription included.
    const { error, status, outcome } = await world.restore(backup, {
      databases: [{ name: 'everything', targetName: 'again', onConflict: 'Replace' }],
      jobs,
    });
    expect(error).toBeUndefined();
    expect(outcome?.message).not.toContain('could not be dropped');
    expect(status).toMatchObject({ restored: { databases: 1, errors: 0 } });
    expect(await stateOf(server, 'again')).toBe(before);
    expect(await fingerprint(server, 'again')).toBe(rows);
  });
});

test.each(['Plain', 'Custom', 'Tar'])('as %s over what is there, with onConflict: Clean', async (format) => {
  // What a database gives to new objects (ALTER DEFAULT PRIVILEGES) it gives to these too, as the plan says.
  const script = await readFile('test/postgres/round-trip/everything.sql', 'utf8');
  const left =
    /^(create role|alter default privileges|create subscription|comment on subscription|security label .* on subscription) .*$/gm;
  await server.psql('drop database if exists "clean" with (force)');
  await server.psql('create database clean');
  await server.psql(script.replaceAll(left, ''), 'clean');
  const whole = await stateOf(server, 'clean');
  const backup = await world.backUp({
    logical: { format, databases: { include: ['clean'] }, ...(format === 'Plain' ? { clean: true } : {}) },
  });
  await server.psql('delete from kinds.event_notes; drop table kinds.lines cascade; drop view kinds.slices', 'clean');
  const { error } = await world.restore(backup, { databases: [{ name: 'clean', onConflict: 'Clean' }] });
  expect(error).toBeUndefined();
  expect(await stateOf(server, 'clean')).toBe(whole);
});

describe.each(['Custom', 'Plain'])('as %s, a label whose provider the target does not have', (format) => {
  const name = `labelled ${format}`;
  const without = { username: 'without', password: 'without' };
  let backup: string;
  beforeAll(async () => {
    await server.psql(`create database "${name}"`);
    await server.psql("create table t (a int); security label for dummy on table t is 'secret'", name);
    backup = await world.backUp({ logical: { format, databases: { include: [`"${name}"`] } } });
    // Other modules than the server's own setting names.
    await server.psql(`
      drop role if exists without;
      create role without superuser login password 'without';
      alter role without set session_preload_libraries = 'auto_explain'`);
  });

  test('ends the restore in words that say what to do', async () => {
    const { error } = await world.restore(backup, { databases: [{ name, targetName: 'unlabelled' }] }, without);
    expect(error).toMatchObject({ reason: 'LabelProviderMissing', retryable: false });
    expect(error?.message).toContain('security label provider "dummy" is not loaded');
    expect(error?.message).toContain('session_preload_libraries');
    expect(await databases(server)).not.toContain('unlabelled');
  });

  test('is counted and told where errors are, and the rest is there', async () => {
    const asked = { databases: [{ name, targetName: 'unlabelled' }], exitOnError: false };
    const { error, status } = await world.restore(backup, asked, without);
    expect(error?.message ?? '').toBe('');
    expect(status).toMatchObject({ restored: { errors: 1 } });
    expect(await server.psql("select to_regclass('t')", 'unlabelled')).toBe('t');
    await server.psql('drop database unlabelled');
  });
});
