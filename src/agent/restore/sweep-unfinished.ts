import { quoteIdentifier } from '../../postgres/advice.ts';
import type { AgentLog } from '../log.ts';
import type { ConnectTo } from './create-database.ts';

const prefix = 'tidemark_restore_';
/** The deadline of a restore's Job, and an hour. */
const deadAfter = '25 hours';

/** Of this request alone: a later attempt finds what an earlier one left. */
export function unfinishedName(requestUID: string, index: number): string {
  return `${prefix}${requestUID.slice(0, 36)}_${index}`;
}

/**
 * Drops the unfinished databases of requests whose agent was killed: nobody else would, since no attempt follows. One that is
 * younger than a restore may take, or in use, is somebody's at work. Never fails the restore that comes after.
 */
export async function sweepUnfinished(
  connect: ConnectTo,
  admin: string,
  requestUID: string,
  log: AgentLog,
): Promise<void> {
  const own = unfinishedName(requestUID, 0).slice(0, -1);
  try {
    const found = await connect(admin, (query) =>
      query<{ name: string }>(
        `SELECT datname AS name FROM pg_catalog.pg_database d
          WHERE datname ~ '^${prefix}[0-9a-f-]{36}_[0-9]+$' AND pg_catalog.left(datname::text, pg_catalog.length($1::text)) <> $1
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
            AND (pg_catalog.pg_stat_file('base/' || d.oid || '/PG_VERSION', true)).modification < now() - interval '${deadAfter}'`,
        [own],
      ),
    );
    for (const { name } of found) {
      // Not by force: whoever has come in between keeps it.
      await connect(admin, (query) => query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`));
      log.info({ database: name }, 'dropped the unfinished database of a restore that was killed');
    }
  } catch (err) {
    log.warn({ err }, `cannot look for unfinished databases of restores that were killed, ${prefix}…; they may stay`);
  }
}
