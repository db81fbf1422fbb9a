import { readFile } from 'node:fs/promises';
import type { PostgresWorkload } from './postgres-workload.ts';

const data = (file: string) => readFile(new URL(`../data/${file}`, import.meta.url), 'utf8');

/** Creates the database and loads test/support/data/shop.sql into it. */
export async function loadShop(postgres: PostgresWorkload, database = 'shop'): Promise<void> {
  await postgres.psql(`create database ${database}`);
  await postgres.psql(await data('shop.sql'), database);
}

/** A line a table, sequence and set of large objects: equal lines, equal rows. */
export async function fingerprint(postgres: PostgresWorkload, database = 'shop'): Promise<readonly string[]> {
  const answer = await postgres.psql(await data('fingerprint.sql'), database);
  return answer.split('\n').filter(Boolean);
}
