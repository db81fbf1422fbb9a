import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import { type Database, listDatabases } from '../backup/databases.ts';

/** Every database that takes connections, templates among them. */
export async function openDatabases(access: ServerAccess, signal: AbortSignal): Promise<readonly Database[]> {
  const all = await withConnection(access, 'template1', signal, listDatabases);
  return all.filter(({ allowsConnections, isHalfDropped }) => allowsConnections && !isHalfDropped);
}
