import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import { openDatabases } from './databases.ts';

/** A map of more than this helps nobody. */
const most = 200_000;

/** The paths of files by which a damaged page is told, and whose they are; to be asked while the server runs. */
export async function objectFiles(access: ServerAccess, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const { name } of await openDatabases(access, signal)) {
    if (files.size > most) break;
    const rows = await withConnection(access, name, signal, (query) =>
      query<{ readonly path: string | null; readonly object: string }>(
        `SELECT pg_catalog.pg_relation_filepath(oid) AS path, relkind::text || ' ' || relnamespace::pg_catalog.regnamespace::text || '.' || relname AS object
           FROM pg_catalog.pg_class WHERE relkind IN ('r', 'i', 't', 'm', 'S') LIMIT ${most}`,
      ),
    );
    for (const { path, object } of rows) if (path !== null) files.set(path, describe(name, object));
  }
  return files;
}

const kinds: Readonly<Record<string, string>> = {
  r: 'table',
  i: 'index',
  t: 'TOAST table',
  m: 'materialized view',
  S: 'sequence',
};

function describe(database: string, object: string): string {
  return `database ${database}, ${kinds[object.slice(0, 1)] ?? ''} ${object.slice(2)}`;
}
