import { readFile } from 'node:fs/promises';
import type { PostgresWorkload } from './postgres-workload.ts';

const data = (file: string) => readFile(new URL(`../data/${file}`, import.meta.url), 'utf8');

/** Creates the database and loads test/support/data/shop.sql into it. */
export async function loadShop(postgres: PostgresWorkload, database = 'shop'): Promise<void> {
  await postgres.psql(`create database ${database}`);
  await postgres.psql(await data('shop.sql'), database);
}

/**
 * The fingerprint without sequences: their WAL is written 32 values ahead (sequence.c, SEQ_LOG_VALS), so a recovered one
 * may stand further than the original did.
 */
export async function fingerprintOfRows(postgres: PostgresWorkload, database = 'shop'): Promise<readonly string[]> {
  return (await fingerprint(postgres, database)).filter((line) => !line.startsWith('sequence '));
}

/** A line a table, sequence and set of large objects: equal lines, equal rows. */
export async function fingerprint(postgres: PostgresWorkload, database = 'shop'): Promise<readonly string[]> {
  const answer = await postgres.psql(await data('fingerprint.sql'), database);
  return answer.split('\n').filter(Boolean);
}
