import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import type { Given } from './killed-process.ts';
import { databases, stateOf } from './state.ts';
import { dumpOf, storeDump } from './stored-dump.ts';
import { createWorld, storedFiles, type World } from './world.ts';

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create database big; create database target');
  // Rows of several pieces, and an index behind them.
  await server.psql(
    "create table rows as select n, md5(n::text) || e'\\\\.\\t' as text from generate_series(1, 100000) n; alter table rows add primary key (n)",
    'big',
  );
  await server.psql('create table kept as select 1 as one', 'target');
});
afterAll(async () => {
  await world?.remove();
  await server?.stop();
});

const content = (database: string) =>
  server.psql('select count(*), md5(string_agg(text, $$$$ order by n)) from rows', database);
const backUp = (algorithm: 'zstd' | 'gzip' | 'lz4' | 'none', format: 'Plain' | 'Tar' = 'Plain') =>
  world.backUp({ logical: { format, databases: { include: ['big'] } }, compression: { algorithm } });
const dumpFile = async (backup: string) => {
  const path = (await storedFiles(world, backup)).find((file) => /\/dump\.(sql|tar)/.test(file));
  if (path === undefined) throw new Error(`backup ${backup} has no dump`);
  return path;
};

test.each([
  ['Plain', 'zstd'],
  ['Plain', 'gzip'],
  ['Plain', 'lz4'],
  ['Plain', 'none'],
  ['Tar', 'zstd'],
  ['Tar', 'lz4'],
  ['Tar', 'none'],
] as const)(
  'a %s of several pieces packed with %s comes back the same, and takes no more of scratch than of the repository',
  async (format, algorithm) => {
    const backup = await backUp(algorithm, format);
    const { size } = await stat(await dumpFile(backup));
    const inScratch: number[] = [];
    for (const exitOnError of [true, false]) {
      const { error, status } = await world.restore(
        backup,
        { databases: [{ name: 'big', targetName: 'back' }], exitOnError },
        { onProgress: ({ step }) => step?.startsWith('back: ') && inScratch.push(bytesIn(world.scratch)) },
      );
      expect(error).toBeUndefined();
      expect(status).toMatchObject({ restored: { errors: 0 } });
      expect(await content('back')).toBe(await content('big'));
      await server.psql('drop database back');
    }
    expect(inScratch.length).toBeGreaterThan(0);
    expect(new Set(inScratch)).toEqual(new Set([size]));
  },
);

test('a Tar for a database that is there lies unpacked: the end of a pipe would be that of the rows for pg_restore', async () => {
  const backup = await backUp('zstd', 'Tar');
  const { size } = await stat(await dumpFile(backup));
  const inScratch: number[] = [];
  const { error } = await world.restore(
    backup,
    { databases: [{ name: 'big', targetName: 'target' }] },
    { onProgress: ({ step }) => step?.startsWith('target: ') && inScratch.push(bytesIn(world.scratch)) },
  );
  expect(error).toBeUndefined();
  expect(await content('target')).toBe(await content('big'));
  await server.psql('drop table rows', 'target');
  expect(Math.min(...inScratch)).toBeGreaterThan(2 * size);
});

test('a Tar that was stored cut short is never taken for a whole one, as pg_restore does', async () => {
  const tar = await dumpOf(server, 'big', ['--format=tar']);
  const cut = tar.subarray(0, tar.length / 2);
  const { host, port, superuser, password, bin } = server;
  const env = { PGHOST: host, PGPORT: String(port), PGUSER: superuser, PGPASSWORD: password };
  await server.psql('create database bare');
  await execa(join(bin, 'pg_restore'), ['-1', '-e', '-Ft', '-d', 'bare'], { input: cut, env });
  expect(Number(await server.psql('select count(*) from rows', 'bare'))).toBeLessThan(60_000);
  const backup = await storeDump(world, 'big', { format: 'Tar', bytes: cut });
  const before = await stateOf(server, 'target');
  for (const database of [
    { targetName: 'new' },
    { targetName: 'target' },
    { targetName: 'target', onConflict: 'Replace' },
  ]) {
    const { error } = await world.restore(backup, { databases: [{ name: 'big', ...database }] });
    expect(error).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
  }
  expect(await stateOf(server, 'target')).toBe(before);
  expect(await databases(server)).not.toContain('new');
});

test.each(['Plain', 'Tar'] as const)(
  'a byte that is damaged at the end of a %s changes nothing in the target',
  async (format) => {
    const backup = await backUp('zstd', format);
    const path = await dumpFile(backup);
    const { size } = await stat(path);
    const file = await open(path, 'r+');
    const at = size - 5;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, at);
    await file.close();
    const before = await stateOf(server, 'target');
    for (const targetName of ['target', 'new']) {
      const { error } = await world.restore(backup, { databases: [{ name: 'big', targetName }] });
      expect(error).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
    }
    expect(await stateOf(server, 'target')).toBe(before);
    expect(await databases(server)).not.toContain('new');
  },
);

test('a restore that is cancelled while rows go in leaves the target as it was', async () => {
  const backup = await backUp('zstd');
  const before = await stateOf(server, 'target');
  const cancelling = new AbortController();
  const { error } = await world.restore(
    backup,
    { databases: [{ name: 'big', targetName: 'target' }] },
    {
      signal: cancelling.signal,
      onProgress: ({ step }) => step?.includes('TABLE DATA') && cancelling.abort(new Error('cancelled')),
    },
  );
  expect(error?.message).toContain('It was one transaction, so database target is as it was.');
  await noneIn('target');
  expect(await stateOf(server, 'target')).toBe(before);
});

test('an error before the rows ends psql while there is much more to be given to it', async () => {
  const backup = await backUp('zstd');
  await server.psql(
    "create function refuse() returns event_trigger language plpgsql as $$ begin raise exception 'not now'; end $$; create event trigger none on ddl_command_end when tag in ('CREATE TABLE') execute function refuse()",
    'target',
  );
  const before = await stateOf(server, 'target');
  const { error } = await world.restore(backup, { databases: [{ name: 'big', targetName: 'target' }] });
  expect(error?.message).toMatch(/one transaction, so database target is as it was.*not now/);
  expect(await stateOf(server, 'target')).toBe(before);
  await server.psql('drop event trigger none; drop function refuse', 'target');
});

test.each([
  { half: 'create table half (a int);\ninsert into half values (1);\n', where: 'between statements' },
  { half: 'create table half (a int);\nCOPY half FROM stdin;\n1\n2\n', where: 'among rows' },
  { half: 'create table half (a int);\ndelete from kept', where: 'within a statement' },
])('an agent that is killed $where commits nothing, though psql sees an end of its input', async ({ half }) => {
  const before = await stateOf(server, 'target');
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-killed-'));
  const { host, port, superuser: username, password } = server;
  const access = { host, port, username, password, tls: { mode: 'disable' as const }, secret: 'shop/admin' };
  const given: Given = { access, folder, database: 'target', half };
  try {
    const ended = await execa(
      process.execPath,
      [join(import.meta.dirname, 'killed-process.ts'), JSON.stringify(given)],
      {
        reject: false,
      },
    );
    expect(ended.signal).toBe('SIGKILL');
    await noneIn('target');
    expect(await stateOf(server, 'target')).toBe(before);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function noneIn(database: string): Promise<void> {
  const count = `select count(*) from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`;
  await vi.waitFor(async () => expect(await server.psql(count)).toBe('0'), { timeout: 120_000 });
}

function bytesIn(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}
