import type { Lsn } from './lsn.ts';

/** What an archive_command is called with (PostgreSQL, pgarch.h and xlog_internal.h): all names of at most 64 characters. */
export type WalFile =
  | { readonly kind: 'Segment'; readonly timeline: number; readonly number: SegmentNumber }
  /** The last segment of a timeline that was left in its middle. */
  | { readonly kind: 'Partial'; readonly timeline: number; readonly number: SegmentNumber }
  /** A base backup's label, named after the segment and the offset where it began. */
  | { readonly kind: 'BackupHistory'; readonly timeline: number; readonly number: SegmentNumber }
  | { readonly kind: 'History'; readonly timeline: number };

/** The two last thirds of a segment's name: `log` counts 4 GiB, `segment` counts segments within it. */
export interface SegmentNumber {
  readonly log: number;
  readonly segment: number;
}

/** undefined for any other name: nothing else belongs into an archive. */
export function parseWalFileName(name: string): WalFile | undefined {
  const history = /^([0-9A-F]{8})\.history$/.exec(name)?.[1];
  if (history !== undefined) return { kind: 'History', timeline: hex(history) };
  const [, timeline, log, segment, rest] =
    /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(|\.partial|\.[0-9A-F]{8}\.backup)$/.exec(name) ?? [];
  if (timeline === undefined || log === undefined || segment === undefined) return undefined;
  const kind = rest === '' ? 'Segment' : rest === '.partial' ? 'Partial' : 'BackupHistory';
  return { kind, timeline: hex(timeline), number: { log: hex(log), segment: hex(segment) } };
}

/** The segment that holds the byte at an LSN. */
export function segmentNameAt(timeline: number, lsn: Lsn, segmentSize: number): string {
  const index = lsn / BigInt(segmentSize);
  const perLog = 0x1_0000_0000n / BigInt(segmentSize);
  return segmentName(timeline, { log: Number(index / perLog), segment: Number(index % perLog) });
}

/**
 * The segment that holds the last byte before an LSN: where a backup or a timeline ends. A boundary belongs to the
 * segment before it, which pg_walfile_name() of PostgreSQL 17 and later says otherwise.
 */
export function segmentNameBefore(timeline: number, lsn: Lsn, segmentSize: number): string {
  return segmentNameAt(timeline, lsn - 1n, segmentSize);
}

/** Where a segment begins. */
export function startOfSegment({ log, segment }: SegmentNumber, segmentSize: number): Lsn {
  return (BigInt(log) << 32n) + BigInt(segment) * BigInt(segmentSize);
}

export function segmentName(timeline: number, { log, segment }: SegmentNumber): string {
  return `${eight(timeline)}${eight(log)}${eight(segment)}`;
}

/** The name of the segment that follows on the same timeline. */
export function nextSegmentName(timeline: number, number: SegmentNumber, segmentSize: number): string {
  return segmentNameAt(timeline, startOfSegment(number, segmentSize) + BigInt(segmentSize), segmentSize);
}

export function historyName(timeline: number): string {
  return `${eight(timeline)}.history`;
}

function eight(number: number): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}

function hex(text: string): number {
  return Number.parseInt(text, 16);
}
