import type { Query } from '../../postgres/query.ts';
import type { ArchiveEntry } from './archive.ts';

const sizedKinds: ReadonlySet<string> = new Set(['TABLE', 'MATERIALIZED VIEW']);

/** Bytes that these tables of the target have, with their indexes, by the entries' IDs. */
export async function readPresentSizes(
  entries: readonly ArchiveEntry[],
  query: Query,
): Promise<ReadonlyMap<number, number>> {
  const tables = entries.filter(({ kind }) => sizedKinds.has(kind));
  if (tables.length === 0) return new Map();
  const rows = await query<{ id: number; bytes: string }>(
    `SELECT wanted.id, pg_catalog.pg_total_relation_size(c.oid) AS bytes
       FROM unnest($1::int[], $2::text[], $3::text[]) AS wanted (id, schema, name)
       JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`,
    [tables.map(({ id }) => id), tables.map(({ schema }) => schema ?? 'public'), tables.map(({ name }) => name)],
  );
  return new Map(rows.map(({ id, bytes }) => [id, Number(bytes)]));
}
