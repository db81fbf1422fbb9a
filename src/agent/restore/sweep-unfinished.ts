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
 * younger than a restore may take, or in use, may be somebody's at work. Never fails the restore that comes after.
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
      query<{ name: string; oid: string }>(
        `SELECT datname AS name, oid::text FROM pg_catalog.pg_database d
          WHERE datname ~ '^${prefix}[0-9a-f-]{36}_[0-9]+$'
            AND pg_catalog.left(datname::text, pg_catalog.length($1::text)) <> $1
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)`,
        [own],
      ),
    );
    for (const database of found) await dropIfDead(connect, admin, database, log);
  } catch (err) {
    log.warn({ err }, 'cannot look for unfinished databases of restores that were killed');
  }
}

async function dropIfDead(
  connect: ConnectTo,
  admin: string,
  { name, oid }: { readonly name: string; readonly oid: string },
  log: AgentLog,
): Promise<void> {
  const drop = `DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`;
  try {
    const [age] = await connect(admin, (query) =>
      query<{ dead: boolean }>(
        `SELECT (pg_catalog.pg_stat_file('base/' || $1 || '/PG_VERSION', true)).modification < now() - interval '${deadAfter}' AS dead`,
        [oid],
      ),
    );
    if (age?.dead !== true) return;
    // Not by force: whoever has come in between keeps it.
    await connect(admin, (query) => query(drop));
    log.info({ database: name }, 'dropped the unfinished database of a restore that was killed');
  } catch (err) {
    log.warn({ err, database: name }, `a restore has left this unfinished database; if none is at work, run: ${drop};`);
  }
}
