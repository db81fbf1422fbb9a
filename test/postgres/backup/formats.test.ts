import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createScriptContents } from '../../../src/agent/backup/script-contents.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { identifier } from './restored.ts';
import {
  backUp,
  backupTask,
  createSetting,
  manifestOf,
  openRepository,
  type Setting,
  volumeRepository,
} from './setting.ts';

let server: TestServer;
let setting: Setting;

beforeAll(async () => {
  server = await startPostgres();
  await server.psql('CREATE DATABASE shop; CREATE ROLE clerk');
  await server.psql(shop, 'shop');
});
beforeEach(async () => {
  setting = await createSetting(server);
});
afterEach(() => setting.remove());
afterAll(() => server?.stop());

/** Rows, texts and bodies that would like to be taken for what pg_dump says between objects. */
const posing = `
--
-- Name: ghost; Type: TABLE; Schema: public; Owner: postgres
--

\\.
-- PostgreSQL database dump complete
`;

const shop = `
  CREATE SCHEMA sales; CREATE SCHEMA "Odd.Sch*ema"; CREATE SCHEMA scratch;
  CREATE TABLE sales.orders (id int PRIMARY KEY, note text);
  INSERT INTO sales.orders VALUES (1, $posing$${posing}$posing$), (2, E'tab\\there');
  CREATE TABLE sales.log (line text); INSERT INTO sales.log VALUES ('logged');
  CREATE TABLE "Odd.Sch*ema"."My.Table" (one int); INSERT INTO "Odd.Sch*ema"."My.Table" VALUES (1);
  CREATE TABLE scratch.orders (id int);
  CREATE FUNCTION sales.poser() RETURNS text LANGUAGE sql AS $body$ SELECT $text$${posing}$text$ $body$;
  COMMENT ON TABLE sales.orders IS $posing$${posing}$posing$;
  GRANT SELECT ON sales.orders TO clerk;
  SELECT lo_from_bytea(4711, 'large'::bytea);
`;

interface Stored {
  readonly dump: string;
  readonly list: string;
}

async function store(logical: object): Promise<Stored> {
  const task = backupTask(server, { logical: { databases: { include: ['shop'] }, ...logical } });
  const { reporter } = await backUp(setting, task);
  const repository = await openRepository(setting, volumeRepository);
  const { manifest, path } = await manifestOf(repository, reporter.status);
  await repository.close();
  const [database] = manifest.logical.databases;
  const folder = `${setting.folders.mountRoot}/var/run/tidemark/repositories/0/volume/tidemark/${path}`;
  const unpack = async (file: string) => {
    const { stdout } = await execa('zstd', ['-dc'], { inputFile: `${folder}/${file}`, encoding: 'buffer' });
    return Buffer.from(stdout).toString('latin1');
  };
  return { dump: await unpack(database?.objects[0]?.path ?? ''), list: await unpack(database?.contents.path ?? '') };
}

/** The stored roles and tablespaces as SQL; undefined where the backup has none. */
async function storedGlobals(globals: string): Promise<string | undefined> {
  const { reporter } = await backUp(setting, backupTask(server, { logical: { content: 'SchemaOnly', globals } }));
  const repository = await openRepository(setting, volumeRepository);
  const { manifest, path } = await manifestOf(repository, reporter.status);
  const stored = manifest.logical.globals;
  const packed = stored === undefined ? undefined : await repository.get(`${path}/${stored.path}`, { signal });
  await repository.close();
  return packed === undefined ? undefined : (await execa('zstd', ['-dc'], { input: packed })).stdout;
}

const signal = new AbortController().signal;

test.each<readonly [string, boolean, boolean]>([
  ['All', true, true],
  ['Roles', true, false],
  ['Tablespaces', false, true],
])('globals: %s stores roles: %j, tablespaces: %j', async (globals, roles, tablespaces) => {
  await server.psql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE shelf LOCATION ''");
  try {
    const sql = await storedGlobals(globals);
    expect(sql?.includes('CREATE ROLE clerk;')).toBe(roles);
    expect(sql?.includes('CREATE TABLESPACE shelf ')).toBe(tablespaces);
  } finally {
    await server.psql('DROP TABLESPACE shelf');
  }
});

test('globals: None stores none', async () => {
  expect(await storedGlobals('None')).toBeUndefined();
});

/** What the list names, without the numbers. */
function entries(list: string): readonly string[] {
  return list.split('\n').flatMap((line) => /^\d+; \d+ \d+ (.+)$/.exec(line)?.[1] ?? []);
}

describe('a Plain dump', () => {
  test('lists the same objects as pg_restore does of an archive, whatever poses as one', async () => {
    const [plain, custom] = [await store({ format: 'Plain' }), await store({ format: 'Custom' })];
    expect(plain.list).toContain('dbname: shop\n');
    expect(plain.list).not.toContain('ghost');
    expect(plain.list).toContain(`TOC Entries: ${entries(plain.list).length}\n`);
    const ofObjects = (list: string) =>
      entries(list).filter((entry) => /^(TABLE|TABLE DATA|SCHEMA|FUNCTION|CONSTRAINT|COMMENT|ACL) /.test(entry));
    expect([...ofObjects(plain.list)].sort()).toEqual([...ofObjects(custom.list)].sort());
    expect(ofObjects(plain.list)).toContain('TABLE DATA Odd.Sch*ema My.Table postgres');
  });

  test.each([{}, { inserts: true }, { extraArgs: ['--verbose'] }])('with %j is read to its end', async (more) => {
    const { list } = await store({ format: 'Plain', ...more });
    expect(list).toMatch(/TABLE DATA sales orders postgres/);
    expect(list).not.toContain('ghost');
  });

  test('that was cut anywhere is not taken for a whole one', async () => {
    const { dump } = await store({ format: 'Plain' });
    const whole = Buffer.from(dump, 'latin1');
    const end = whole.lastIndexOf('-- PostgreSQL database dump complete');
    for (let cut = 0; cut < end + 10; cut += 97) {
      const reading = Array.fromAsync(createScriptContents('shop').pass(inPieces(whole.subarray(0, cut))));
      await expect(reading, `after ${cut} bytes`).rejects.toMatchObject({ reason: 'IncompleteDump', retryable: false });
    }
    await Array.fromAsync(createScriptContents('shop').pass(inPieces(whole)));
  });

  test.each<readonly [object, RegExp, RegExp | undefined]>([
    [{ clean: true }, /^DROP TABLE IF EXISTS sales\.orders;$/m, undefined],
    [{ create: true }, /^CREATE DATABASE shop WITH[\s\S]*^\\connect shop$/m, undefined],
    [{ noOwner: true }, /^CREATE TABLE sales\.orders/m, /OWNER TO/],
    [{ noPrivileges: true }, /^CREATE TABLE sales\.orders/m, /^GRANT/m],
    [{ inserts: true }, /^INSERT INTO sales\.log VALUES \('logged'\);$/m, /^COPY/m],
    [{ content: 'SchemaOnly' }, /^CREATE TABLE sales\.orders/m, /^COPY|lo_open|4711/m],
    [{ content: 'DataOnly' }, /^COPY sales\.log/m, /^CREATE TABLE/m],
    [{ largeObjects: 'Exclude' }, /^COPY sales\.log/m, /4711/],
    [{ schemas: { include: ['sales'] } }, /pg_catalog\.lo_(open|create)\('4711'/, /CREATE TABLE scratch/],
    [{ schemas: { exclude: ['s*'] } }, /"Odd\.Sch\*ema"\."My\.Table"/, /CREATE TABLE (sales|scratch)/],
    [{ schemas: { include: ['"Odd.Sch*ema"'] } }, /CREATE TABLE "Odd\.Sch\*ema"/, /CREATE TABLE sales/],
    [{ tables: { include: ['*.orders'] } }, /CREATE TABLE scratch\.orders/, /CREATE TABLE sales\.log/],
    [{ tables: { include: ['"Odd.Sch*ema"."My.Table"'] } }, /COPY "Odd\.Sch\*ema"/, /sales/],
    [{ tables: { exclude: ['sales.o?ders'] } }, /CREATE TABLE scratch\.orders/, /CREATE TABLE sales\.orders/],
    [{ tables: { excludeData: ['sales.(log|orders)'] } }, /CREATE TABLE sales\.log/, /COPY sales/],
    [{ extraArgs: ['--no-comments'] }, /CREATE TABLE sales\.orders/, /COMMENT ON/],
    [{ extraArgs: ['--extension=plpgsql'] }, /pg_catalog\.lo_(open|create)\('4711'/, undefined],
  ])('does as it is told: %j', async (logical, wanted, unwanted) => {
    const { dump } = await store({ format: 'Plain', ...logical });
    expect(dump).toMatch(wanted);
    if (unwanted !== undefined) expect(withoutComments(dump)).not.toMatch(unwanted);
  });
});

function withoutComments(dump: string): string {
  return dump.replaceAll(/\n--[^\n]*/g, '');
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

test('a Tar dump is a tar that pg_restore lists, with its table of contents first', async () => {
  const { dump, list } = await store({ format: 'Tar' });
  expect(dump.slice(0, 7)).toBe('toc.dat');
  expect(list).toMatch(/Format: TAR\n[\s\S]*TABLE DATA sales orders postgres/);
});

test.each(['Custom', 'Directory', 'Tar', 'Plain'])(
  'definitions alone go with the globals, and an empty database is one, in %s',
  async (format) => {
    const { reporter } = await backUp(setting, backupTask(server, { logical: { format, content: 'SchemaOnly' } }));
    const repository = await openRepository(setting, volumeRepository);
    const { manifest } = await manifestOf(repository, reporter.status);
    expect(manifest.logical.databases.map(({ name }) => name)).toEqual(['postgres', 'shop']);
    expect(manifest.logical.globals?.withPasswords).toBe(true);
    await repository.close();
  },
);

test('names of schemas, tables and roles that try to be something else are names', { timeout: 300_000 }, async () => {
  const odd = ['-x', '--file=/tmp/x', '"; drop table t; --', '$(id)', 'new\nline', "quo'te", 'a.b*c?', '\\.', '{x}|y'];
  await server.psql('CREATE DATABASE odd');
  for (const name of odd) {
    const [plain, role] = [identifier(name), identifier(`role ${name}`)];
    await server.psql(
      `CREATE ROLE ${role}; CREATE SCHEMA ${plain} AUTHORIZATION ${role}; CREATE TABLE ${plain}.${plain} AS SELECT 1 AS ${plain}; ALTER TABLE ${plain}.${plain} OWNER TO ${role}`,
      'odd',
    );
  }
  for (const format of ['Custom', 'Tar', 'Plain']) {
    const schemas = { include: odd.map(identifier) };
    const tables = { include: odd.map((name) => `${identifier(name)}.*`) };
    const choice = format === 'Tar' ? { schemas } : { tables };
    const { list } = await store({ format, databases: { include: ['odd'] }, ...choice });
    const listed = entries(list).filter((entry) => entry.startsWith('TABLE DATA '));
    const expected = odd
      .map((name) => name.replace('\n', ' '))
      .map((name) => `TABLE DATA ${name} ${name} role ${name}`);
    expect([...listed].sort(), format).toEqual(expected.sort());
  }
  await server.psql('DROP DATABASE odd');
  for (const name of odd) await server.psql(`DROP ROLE ${identifier(`role ${name}`)}`);
});
