import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Extract } from '../../../src/api/pitr-recovery.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover } from './recovery.ts';
import { createSource, ownedFolder, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
let credentials: string;

beforeAll(async () => {
  source = await createSource();
  const { server } = source;
  await server.psql('CREATE DATABASE shop');
  await server.psql(
    'CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 100); CREATE TABLE customers (id int)',
    'shop',
  );
  manifest = await source.backUp();
  end = await source.ship();
  await server.psql('DROP TABLE orders', 'shop');
  credentials = await ownedFolder(join(source.root, 'credentials'), source.account);
  await writeFile(join(credentials, 'username'), server.superuser);
  await writeFile(join(credentials, 'password'), server.password);
}, 60_000);
afterAll(() => source?.remove());

const extracting = (databases: Extract['databases'], folder: string) =>
  recover(
    source,
    taskFor(planFor(manifest, end), {}, join(source.root, folder), {
      extract: {
        databases,
        server: {
          hosts: [source.server.host],
          port: source.server.port,
          database: 'postgres',
          role: 'Primary',
          credentialsSecretName: 'orders-db-admin',
        },
      },
    }),
    { credentials },
  );

it('a dropped table comes back into its database, and a whole database beside it', async () => {
  const found = await extracting(
    [
      { name: 'shop', tables: { include: ['public.orders'], exclude: [] }, create: true },
      { name: 'shop', tables: { include: [], exclude: [] }, targetName: 'shop_of_then', create: true },
    ],
    'dropped',
  );
  expect(found.failure, found.agentLog).toBeUndefined();
  expect(found.status).toMatchObject({ extracted: { databases: 2 } });
  expect(await source.server.psql('SELECT count(*) FROM orders', 'shop')).toBe('100');
  expect(await source.server.psql('SELECT count(*) FROM orders', 'shop_of_then')).toBe('100');
});

it('a table that is there is not touched, and nothing else is copied then', async () => {
  await source.server.psql('DELETE FROM orders WHERE id > 7', 'shop');
  const found = await extracting(
    [
      { name: 'shop', tables: { include: [], exclude: [] }, targetName: 'another', create: true },
      { name: 'shop', tables: { include: ['public.orders'], exclude: [] }, create: true },
    ],
    'present',
  );
  expect(found.failure).toMatchObject({ reason: 'TargetExists' });
  expect(await source.server.psql('SELECT count(*) FROM orders', 'shop')).toBe('7');
  expect(await source.server.psql("SELECT count(*) FROM pg_database WHERE datname = 'another'")).toBe('0');
});
