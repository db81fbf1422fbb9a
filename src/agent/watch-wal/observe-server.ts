import { parseWalFileName, startOfSegment } from '../../domain/wal/file-name.ts';
import { type Lsn, parseLsn } from '../../domain/wal/lsn.ts';
import type { Query } from '../../postgres/query.ts';
import { isDenied } from './apply-settings.ts';

export interface WalPosition {
  readonly timeline: number;
  readonly current: Lsn;
  /** Bytes. */
  readonly segmentSize: number;
}

/** Of a primary. The control file may still name the timeline before a promotion; the WAL itself does not. */
export async function readPosition(query: Query): Promise<WalPosition> {
  const [row] = await query<{ readonly file: string; readonly lsn: string; readonly size: string }>(
    `SELECT pg_catalog.pg_walfile_name(lsn) AS file, lsn::text, pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))::text AS size
       FROM pg_catalog.pg_current_wal_lsn() AS lsn`,
  );
  const file = parseWalFileName(row?.file ?? '');
  if (row === undefined || file === undefined) throw new Error(`the server gave no position: ${JSON.stringify(row)}`);
  return { timeline: file.timeline, current: parseLsn(row.lsn), segmentSize: Number(row.size) };
}

/** pg_stat_archiver. */
export interface ArchiverFacts {
  readonly lastArchived: { readonly name: string; readonly time: Date } | undefined;
  readonly lastFailed: { readonly name: string; readonly time: Date } | undefined;
  /** Segments that wait for archive_command; undefined where the role may not look (pg_monitor). */
  readonly pending: number | undefined;
}

interface ArchiverRow {
  readonly last_archived_wal: string | null;
  readonly last_archived_time: Date | null;
  readonly last_failed_wal: string | null;
  readonly last_failed_time: Date | null;
}

export async function readArchiver(query: Query): Promise<ArchiverFacts> {
  const [row] = await query<ArchiverRow>(
    'SELECT last_archived_wal, last_archived_time, last_failed_wal, last_failed_time FROM pg_catalog.pg_stat_archiver',
  );
  const one = (name?: string | null, time?: Date | null) => (name && time ? { name, time } : undefined);
  return {
    lastArchived: one(row?.last_archived_wal, row?.last_archived_time),
    lastFailed: one(row?.last_failed_wal, row?.last_failed_time),
    pending: await readPending(query),
  };
}

/**
 * What the server could not archive last, as long as it has not archived it since. The clock alone does not tell: where it
 * was ahead and has been set right, everything that fails now fails before what was archived then. But segments are
 * archived in the order of their names, within a timeline and from one to the next.
 */
export function stillFailing({ lastArchived, lastFailed }: ArchiverFacts): ArchiverFacts['lastFailed'] {
  if (lastFailed === undefined || lastArchived === undefined || lastArchived.time < lastFailed.time) return lastFailed;
  const isSegment = (name: string) => parseWalFileName(name)?.kind === 'Segment';
  const isLater = isSegment(lastFailed.name) && isSegment(lastArchived.name) && lastFailed.name > lastArchived.name;
  return isLater ? lastFailed : undefined;
}

async function readPending(query: Query): Promise<number | undefined> {
  try {
    const [row] = await query<{ readonly pending: string }>(
      "SELECT count(*) AS pending FROM pg_catalog.pg_ls_archive_statusdir() WHERE name ~ '^[0-9A-F]{24}[.]ready$'",
    );
    return row === undefined ? undefined : Number(row.pending);
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}

/** The archiver goes in order, so all up to the end of the last segment it archived is archived as far as it knows. */
export function acknowledgedBy({ lastArchived }: ArchiverFacts, segmentSize: number) {
  const file = parseWalFileName(lastArchived?.name ?? '');
  if (file?.kind !== 'Segment') return undefined;
  return { timeline: file.timeline, end: startOfSegment(file.number, segmentSize) + BigInt(segmentSize) };
}
