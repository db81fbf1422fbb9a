import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decompressor } from '../../../src/stream/compress.ts';
import { runPipeline } from '../../../src/stream/pipeline.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { contentOf, identifier, restoreInto } from './restored.ts';
import {
  backUp,
  backupTask,
  createSetting,
  leftovers,
  manifestOf,
  openRepository,
  type Setting,
  s3Repository,
  volumeRepository,
} from './setting.ts';

const oddNames = [
  'with space',
  'quote"d',
  "apo'strophe",
  'back\\slash',
  'new\nline',
  'Ünïcødé–漢字',
  '-x',
  '--help',
  'a=b',
  'postgresql://x',
  'a.b*c',
  '$(id)',
];

let server: TestServer;
let s3: S3Server;
let setting: Setting;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
  await s3.createBucket('backups');
  setting = await createSetting(server, s3);
  await server.psql("CREATE DATABASE shop; CREATE ROLE clerk LOGIN PASSWORD 's3cret';");
  await server.psql(shop, 'shop');
});

afterAll(async () => {
  await Promise.all([server?.stop(), s3?.stop()]);
  await setting?.remove();
});

const shop = `
  CREATE SCHEMA "Löden";
  CREATE TYPE "Löden".state AS ENUM ('new', 'paid');
  CREATE TABLE "Löden"."Order items" (id bigserial PRIMARY KEY, "näme" text, state "Löden".state DEFAULT 'new', twice bigint GENERATED ALWAYS AS (id * 2) STORED);
  INSERT INTO "Löden"."Order items" ("näme") SELECT md5(i::text) FROM generate_series(1, 50000) i;
  CREATE TABLE event (at date NOT NULL, what text) PARTITION BY RANGE (at);
  CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
  CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
  INSERT INTO event SELECT date '2026-01-01' + i % 365, repeat('x', i % 50) FROM generate_series(1, 20000) i;
  CREATE MATERIALIZED VIEW totals AS SELECT date_trunc('month', at) AS month, count(*) FROM event GROUP BY 1;
  CREATE TABLE empty ();
  SELECT lo_from_bytea(0, convert_to(repeat('large object ' || i, 5000), 'UTF8')) FROM generate_series(1, 40) i;
  COMMENT ON TABLE event IS 'it''s here';
  GRANT SELECT ON ALL TABLES IN SCHEMA "Löden" TO clerk;
  REFRESH MATERIALIZED VIEW totals;
`;

describe.each([
  { format: 'Custom', compression: {} },
  { format: 'Custom', compression: { algorithm: 'none' } },
  { format: 'Directory', jobs: 3, compression: { level: 1 } },
  { format: 'Directory', compression: { algorithm: 'none' } },
  { format: 'Tar', compression: {} },
  { format: 'Tar', compression: { algorithm: 'none' } },
  { format: 'Plain', compression: {} },
  { format: 'Plain', inserts: true, compression: { algorithm: 'none' } },
])('a backup in $format format, packed by $compression', ({ compression, ...logical }) => {
  test('restores from S3 and from a volume to what it was', { timeout: 300_000 }, async () => {
    const repositories = [s3Repository(s3, 'backups'), volumeRepository];
    const task = backupTask(server, {
      repositories,
      compression,
      logical: { ...logical, databases: { include: ['shop'] } },
    });
    const { reporter, outcome } = await backUp(setting, task);
    expect(outcome.reason).toBe('BackupStored');
    expect(reporter.status).toMatchObject({
      progress: { percent: 100 },
      repositories: [
        { name: 'offsite', state: 'Stored' },
        { name: 'local-disk', state: 'Stored' },
      ],
    });
    // INSERT statements fill pages in another order than COPY.
    const read = async (name: string) => {
      const content = await contentOf(server, name);
      return 'inserts' in logical ? content.split('\n').sort().join('\n') : content;
    };
    const before = await read('shop');
    for (const [index, repository] of repositories.entries()) {
      const store = await openRepository(setting, repository, index);
      const found = await manifestOf(store, reporter.status, index);
      const [database] = found.manifest.logical.databases;
      if (database === undefined) throw new Error('no database in the manifest');
      await restoreInto(server, { store, ...found }, database, 'restored');
      const restored = await read('restored');
      await server.psql('DROP DATABASE restored');
      expect(restored).toBe(before);
      await store.close();
    }
    expect(await leftovers(setting)).toEqual([]);
  });
});

describe('databases with odd names', () => {
  beforeAll(async () => {
    for (const name of oddNames) await server.psql(`CREATE DATABASE ${identifier(name)}`);
  });
  afterAll(async () => {
    for (const name of oddNames) await server.psql(`DROP DATABASE ${identifier(name)}`);
  });

  test.each(['Custom', 'Directory', 'Tar', 'Plain'])(
    'are each dumped as themselves in %s format',
    { timeout: 300_000 },
    async (format) => {
      // The script in a tar connects to its database, and psql's command ends with the line.
      const impossible = format === 'Tar' ? ['"new\nline"'] : [];
      const { reporter } = await backUp(
        setting,
        backupTask(server, { logical: { format, databases: { include: ['*'], exclude: ['shop', ...impossible] } } }),
      );
      const store = await openRepository(setting, volumeRepository);
      const { manifest, path } = await manifestOf(store, reporter.status);
      const possible = oddNames.filter((name) => format !== 'Tar' || name !== 'new\nline');
      expect(manifest.logical.databases.map(({ name }) => name).sort()).toEqual([...possible, 'postgres'].sort());
      for (const { name, contents } of manifest.logical.databases) {
        const input = await store.download(`${path}/${contents.path}`, { signal: AbortSignal.timeout(120_000) });
        const unpack = decompressor(manifest.compression);
        if (unpack === undefined) throw new Error('not packed');
        const text = Buffer.concat(
          await Array.fromAsync(runPipeline([unpack], { signal: AbortSignal.timeout(120_000), input }).output),
        ).toString();
        // pg_restore prints a line break in a name as a space.
        expect(text).toContain(`dbname: ${name.replaceAll('\n', ' ')}\n`);
      }
    },
  );
});

test('a name that a tar cannot hold is told, with the format that can', async () => {
  await server.psql(`CREATE DATABASE ${identifier('new\nline')}`);
  try {
    const task = backupTask(server, { logical: { format: 'Tar', databases: { include: ['"new\nline"'] } } });
    await expect(backUp(setting, task)).rejects.toMatchObject({
      reason: 'NameNotPossible',
      retryable: false,
      message: expect.stringContaining('Use format: Custom or Directory'),
    });
  } finally {
    await server.psql(`DROP DATABASE ${identifier('new\nline')}`);
  }
});

test('the table of contents and the globals are stored as text that people can read', async () => {
  const { reporter } = await backUp(setting, backupTask(server, { logical: { databases: { include: ['shop'] } } }));
  const store = await openRepository(setting, volumeRepository);
  const { manifest, path } = await manifestOf(store, reporter.status);
  const folder = `${setting.folders.mountRoot}/var/run/tidemark/repositories/0/volume/tidemark/${path}`;
  const unpack = async (file: string) => (await execa('zstd', ['-dc', `${folder}/${file}`])).stdout;
  expect(await unpack(manifest.logical.databases[0]?.contents.path ?? '')).toMatch(
    /TABLE DATA Löden Order items postgres/,
  );
  expect(manifest.logical.globals?.withPasswords).toBe(true);
  expect(await unpack(manifest.logical.globals?.path ?? '')).toMatch(
    /ALTER ROLE clerk WITH .*PASSWORD 'SCRAM-SHA-256\$/,
  );
});

test('the status has each database with its size, and what was stored of it', async () => {
  const task = backupTask(server, { logical: { databases: { include: ['shop', 'postgres'] } } });
  const { reporter } = await backUp(setting, task);
  const store = await openRepository(setting, volumeRepository);
  const { manifest } = await manifestOf(store, reporter.status);
  const size = await server.psql("SELECT pg_database_size('shop')");
  const sum = (objects: readonly { readonly size: number }[]) => objects.reduce((all, one) => all + one.size, 0);
  expect(reporter.status.databases).toEqual(
    manifest.logical.databases.map(({ name, objects, contents }) => ({
      name,
      bytes: name === 'shop' ? size : expect.stringMatching(/^\d{7,}$/),
      encoding: 'UTF8',
      storedBytes: String(sum([...objects, contents])),
      state: 'Stored',
    })),
  );
  await store.close();
});

test('a role without any privilege backs its own database up, and the roles without passwords', async () => {
  await server.psql("CREATE ROLE owner LOGIN PASSWORD 'pw:\\with=odd'; CREATE DATABASE own OWNER owner;");
  await server.psql('CREATE TABLE mine AS SELECT 1 AS one; ALTER TABLE mine OWNER TO owner;', 'own');
  await setting.setCredentials('owner', 'pw:\\with=odd');
  try {
    const task = backupTask(server, { logical: { databases: { include: ['own'] } }, server: { database: 'own' } });
    const { reporter, outcome } = await backUp(setting, task);
    expect(outcome.message).toContain('roles without passwords');
    const store = await openRepository(setting, volumeRepository);
    const { manifest } = await manifestOf(store, reporter.status);
    expect(manifest.logical.globals?.withPasswords).toBe(false);
    expect(manifest.logical.databases).toMatchObject([{ name: 'own', owner: 'owner' }]);
  } finally {
    await setting.setCredentials(server.superuser, server.password);
  }
});
