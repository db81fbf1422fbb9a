import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';

/** What replay needs at least as high, what a recovery is set up by, and what a person asks for. */
const wanted = [
  'archive_mode',
  'block_size',
  'data_checksums',
  'data_directory',
  'lc_messages',
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
  'server_encoding',
  'server_version',
  'shared_preload_libraries',
  'summarize_wal',
  'wal_level',
  'wal_segment_size',
];

export interface ServerSettings {
  /** Without those that the role may not see. */
  readonly all: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly segmentSize: number;
  readonly isStandby: boolean;
}

export function readServerSettings(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
): Promise<ServerSettings> {
  return withConnection(access, database, signal, async (query) => {
    const rows = await query<{ name: string; setting: string | null }>(
      'SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY($1::text[]) ORDER BY name',
      [wanted],
    );
    const [server] = await query<{ superuser: string; standby: boolean }>(
      'SELECT pg_catalog.pg_get_userbyid(10) AS superuser, pg_catalog.pg_is_in_recovery() AS standby',
    );
    const seen = rows.flatMap(({ name, setting }) => (setting === null ? [] : [[name, setting] as const]));
    const all = { ...Object.fromEntries(seen), bootstrap_superuser: server?.superuser ?? 'postgres' };
    return { all, segmentSize: Number(Object.fromEntries(seen).wal_segment_size), isStandby: server?.standby ?? false };
  });
}
