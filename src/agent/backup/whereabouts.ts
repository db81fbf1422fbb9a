import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import type { Database } from './databases.ts';

/** What became of a database: it is there, is no more, or its name and its content have parted (a rename, or made anew). */
export type Whereabouts = 'There' | 'Dropped' | 'Moved';

/** Looks from another database. Where nobody can tell, it counts as being there. */
export async function whereabouts(
  access: ServerAccess,
  from: string,
  { oid, name }: Database,
  signal: AbortSignal,
): Promise<Whereabouts> {
  // A DROP DATABASE ends the connections before it is done; one that comes now waits for its lock, and so for its end.
  await withConnection(access, name, signal, async () => undefined).catch(() => undefined);
  try {
    return await withConnection(access, from, signal, async (query) => {
      const rows = await query<{ readonly name: string; readonly isSame: boolean; readonly isHalfDropped: boolean }>(
        `SELECT datname AS name, oid = $1 AS "isSame", datconnlimit = -2 AS "isHalfDropped"
           FROM pg_catalog.pg_database
          WHERE oid = $1 OR datname = $2`,
        [oid, name],
      );
      const same = rows.find(({ isSame, isHalfDropped }) => isSame && !isHalfDropped);
      if (same !== undefined) return same.name === name ? 'There' : 'Moved';
      return rows.some(({ isSame }) => !isSame) ? 'Moved' : 'Dropped';
    });
  } catch {
    signal.throwIfAborted();
    return 'There';
  }
}
