import { type Failure, terminal } from '../../../domain/failure.ts';
import type { Query } from '../../../postgres/query.ts';

/** How the receiver names itself to the server. Who writes this into synchronous_standby_names means it. */
const applicationName = 'tidemark';

/**
 * A receiver that the server would take for a synchronous standby because of a `*`: each commit would wait until its WAL
 * is stored in the repository, for as long as a segment stays open (PostgreSQL, "synchronous_standby_names").
 */
export async function forbidSynchronous(query: Query): Promise<Failure | undefined> {
  const [row] = await query<{ readonly names: string }>(
    "SELECT pg_catalog.current_setting('synchronous_standby_names') AS names",
  );
  const names = row?.names ?? '';
  if (!matchesEverybody(names)) return undefined;
  return terminal(
    'SynchronousStandby',
    `synchronous_standby_names is '${names.slice(0, 300)}', and its * names the receiver of the WAL as well: every commit would wait until it is stored in the repository. So nothing is received. Name your standbys there, as in ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (standby1, standby2)'; SELECT pg_reload_conf(); or use walArchiving.mode: Archive.`,
  );
}

/** Pure; exported for its tests. Where the receiver is named as well, it is wanted. */
export function matchesEverybody(names: string): boolean {
  const list = names.match(/"(?:[^"]|"")*"|[^\s,()]+/g) ?? [];
  const plain = list.map((name) => name.replace(/^"(.*)"$/, '$1').replaceAll('""', '"'));
  return plain.includes('*') && !plain.some((name) => name.toLowerCase() === applicationName);
}
