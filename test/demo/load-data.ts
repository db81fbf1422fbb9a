import { readFile } from 'node:fs/promises';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { type DemoState, databases, type Step } from './demo-state.ts';

const pgbenchScale = 10;

/** A million pgbench accounts, and the shop of test/support/data; loaded once, found again by a second run. */
export async function loadData(state: DemoState, step: Step): Promise<void> {
  const { postgres } = state;
  const existing = new Set((await postgres.psql('select datname from pg_database')).split('\n'));
  const loaded = databases.every((database) => existing.has(database)) && (await hasAllTables(state));
  if (!loaded) await load(state, step);
  state.before = await fingerprintsOf(state.postgres);
  const sizes = await postgres.psql(
    `select string_agg(datname || ' ' || pg_size_pretty(pg_database_size(oid)), ', ' order by datname) from pg_database where datname in ('pgbench', 'shop')`,
  );
  step.title = `${step.title}: ${sizes}, ${Object.values(state.before).flat().length} tables, sequences and sets of large objects`;
}

/** What a database holds, a line a relation (test/support/data/fingerprint.sql). */
export async function fingerprintsOf(
  postgres: Pick<PostgresWorkload, 'psql'>,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const query = await readFile(new URL('../support/data/fingerprint.sql', import.meta.url), 'utf8');
  const pairs = await Promise.all(
    databases.map(
      async (database) => [database, (await postgres.psql(query, database)).split('\n').filter(Boolean)] as const,
    ),
  );
  return Object.fromEntries(pairs);
}

async function load({ postgres }: DemoState, step: Step): Promise<void> {
  for (const database of databases) {
    await postgres.psql(`drop database if exists ${database} with (force)`);
    await postgres.psql(`create database ${database}`);
  }
  await postgres.psql(
    'drop role if exists shop_owner; drop role if exists shop_reader; drop role if exists "Buchhaltung-Österreich"',
  );
  step.output = `pgbench, scale ${pgbenchScale}: 1,000,000 accounts`;
  await postgres.exec([
    ...['env', `PGPASSWORD=${postgres.password}`, 'pgbench', '-h', '127.0.0.1', '-U', 'postgres'],
    ...['--initialize', '--quiet', '--foreign-keys', '--scale', String(pgbenchScale), 'pgbench'],
  ]);
  step.output = 'shop: foreign keys, partitions, large objects, quoted names, a materialized view, extensions, grants';
  await postgres.psql(await readFile(new URL('../support/data/shop.sql', import.meta.url), 'utf8'), 'shop');
}

async function hasAllTables({ postgres }: DemoState): Promise<boolean> {
  const found = await postgres.psql(
    `select to_regclass('shop.orders') is not null and to_regclass('shop.order_lines') is not null`,
    'shop',
  );
  const accounts = await postgres.psql(
    `select to_regclass('pgbench_accounts') is not null and to_regclass('pgbench_history') is not null`,
    'pgbench',
  );
  if (found !== 't' || accounts !== 't') return false;
  // The demo's second accident leaves the tables and takes their rows.
  return (await postgres.psql('select count(*) from shop.orders', 'shop')) === '40000';
}
