import { Failure, terminal, transient } from '../../domain/failure.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';

/** Files told in a message. */
const shown = 5;

/** What ended a base backup, as what it means; `warnings` are what the server said on its way. */
export async function explainFailure(
  error: unknown,
  server: ChosenServer,
  warnings: readonly string[],
  database: string,
): Promise<unknown> {
  if (!(error instanceof Failure)) return error;
  const place = `${server.access.host}:${server.access.port}`;
  if (error.reason === 'DataCorrupted') return checksumFailure(error, place, warnings);
  const said = error.cause instanceof Error ? error.cause.message : error.message;
  if (/WAL level not sufficient/.test(said)) {
    return terminal(
      'WalLevelTooLow',
      `The server ${place} runs with wal_level = minimal, of which no physical backup can be made. Set wal_level = replica and restart it.`,
      error,
    );
  }
  if (isWalRemoved(error.cause)) {
    return transient(
      'WalRemoved',
      `The server ${place} removed WAL of this backup before it was sent, as it may with walMethod Fetch when much is written or two backups are made at once; the backup was removed. Use walMethod Archive or Stream, or raise wal_keep_size above the WAL that is written during a backup.`,
      error,
    );
  }
  if (server.facts.role === 'Standby' && (/was promoted/.test(said) || (await isPrimary(server, database)))) {
    return transient(
      'PromotedDuringBackup',
      `The standby ${place} was promoted while the backup was made, so the backup is of no use and was removed. It will be made again, from a standby if there is one.`,
      error,
    );
  }
  return error;
}

/** By the routine that says so: the words are in the server's language, and the code is that of any missing file. */
function isWalRemoved(cause: unknown): boolean {
  return cause instanceof Error && 'routine' in cause && cause.routine === 'CheckXLogRemoved';
}

function checksumFailure(error: Failure, place: string, warnings: readonly string[]): Failure {
  const pages = warnings.slice(0, shown).join('; ');
  const more = warnings.length > shown ? `; and ${warnings.length - shown} more` : '';
  return terminal(
    'PageChecksumFailure',
    `The server ${place} has pages that do not match their checksums, so this backup was not kept: ${pages === '' ? error.message : `${pages}${more}`}. Keep your earlier backups, look at the server's disks, find what the files belong to (SELECT oid::regclass FROM pg_class WHERE relfilenode = …), and recover it from an earlier backup; an index is mended by REINDEX.`,
    error,
  );
}

async function isPrimary({ access }: ChosenServer, database: string): Promise<boolean> {
  try {
    return await withConnection(access, database, AbortSignal.timeout(5000), async (query) => {
      const [row] = await query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby');
      return row?.standby === false;
    });
  } catch {
    return false;
  }
}
