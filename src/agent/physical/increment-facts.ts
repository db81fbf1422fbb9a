import { Failure } from '../../domain/failure.ts';
import type { Summaries } from '../../domain/increment/summaries.ts';
import { type Lsn, parseLsn } from '../../domain/wal/lsn.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { type Query, withConnection } from '../../postgres/query.ts';

export interface IncrementFacts {
  readonly summaries: Summaries;
  readonly position: Lsn | undefined;
}

/** What a server says of its WAL summaries (PostgreSQL 17 and later). */
export function readIncrementFacts(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
): Promise<IncrementFacts> {
  return withConnection(access, database, signal, async (query) => {
    const [row] = await query<{ enabled: string; position: string | null }>(
      `SELECT pg_catalog.current_setting('summarize_wal') AS enabled,
              (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                    ELSE pg_catalog.pg_current_wal_lsn() END)::text AS position`,
    );
    return {
      summaries: { enabled: row?.enabled === 'on', available: await readSummaries(query) },
      position: row?.position == null ? undefined : parseLsn(row.position),
    };
  });
}

async function readSummaries(query: Query): Promise<Summaries['available']> {
  try {
    const rows = await query<{ timeline: string; start: string; end: string }>(
      'SELECT tli::text AS timeline, start_lsn::text AS start, end_lsn::text AS end FROM pg_catalog.pg_available_wal_summaries()',
    );
    return rows.map(({ timeline, start, end }) => ({
      timeline: Number(timeline),
      start: parseLsn(start),
      end: parseLsn(end),
    }));
  } catch (error) {
    if (error instanceof Failure && error.reason === 'PermissionDenied') return undefined;
    throw error;
  }
}
