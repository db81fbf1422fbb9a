import { parseWalFileName, segmentNameAt, segmentNameBefore, startOfSegment } from '../../../domain/wal/file-name.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { type Ancestor, timelineAt } from '../../../domain/wal/timeline-history.ts';

/** The WAL that the plan has proved to be there. */
export interface WalRange {
  readonly begin: Lsn;
  /** Of the archive, on the target's timeline. */
  readonly end: Lsn;
  readonly timeline: number;
  readonly ancestors: readonly Ancestor[];
  /** Bytes. */
  readonly segmentSize: number;
}

/**
 * Whether replay would miss this file: it holds a part of the range on the timeline that the part lies on. Its absence
 * is then a fault of the store, and never the end of the archive.
 */
export function isRequired(name: string, { begin, end, timeline, ancestors, segmentSize }: WalRange): boolean {
  const file = parseWalFileName(name);
  if (file?.kind === 'History') return file.timeline === timeline && timeline > 1;
  if (file?.kind !== 'Segment') return false;
  const start = startOfSegment(file.number, segmentSize);
  const first = start > begin ? start : begin;
  const last = min(start + BigInt(segmentSize), end) - 1n;
  if (first > last) return false;
  const [oldest, newest] = [timelineAt(first, timeline, ancestors), timelineAt(last, timeline, ancestors)];
  // Where a timeline was left within the segment, its child's file holds the parent's part too.
  return file.timeline === newest || (file.timeline === oldest && oldest === newest);
}

/** The file that replay asks for last, where it goes to the end. */
export function lastSegment({ end, timeline, ancestors, segmentSize }: WalRange): string {
  return segmentNameBefore(timelineAt(end - 1n, timeline, ancestors), end, segmentSize);
}

/** The files that replay asks for after this one, at most `count`, and not beyond `until`. */
export function segmentsAfter(name: string, count: number, range: WalRange, until: Lsn): readonly string[] {
  const file = parseWalFileName(name);
  if (file?.kind !== 'Segment') return [];
  const { segmentSize, timeline, ancestors } = range;
  const size = BigInt(segmentSize);
  const end = min(range.end, until);
  const names: string[] = [];
  for (
    let start = startOfSegment(file.number, segmentSize) + size;
    start < end && names.length < count;
    start += size
  ) {
    // The newest timeline that the segment has a part of is asked for first.
    const last = min(start + size, range.end) - 1n;
    names.push(segmentNameAt(timelineAt(last, timeline, ancestors), start, segmentSize));
  }
  return names;
}

/** Where a file lies in the order of replay; undefined for what is no segment. */
export function positionOf(name: string, segmentSize: number): Lsn | undefined {
  const file = parseWalFileName(name);
  return file?.kind === 'Segment' ? startOfSegment(file.number, segmentSize) : undefined;
}

function min(one: Lsn, other: Lsn): Lsn {
  return one < other ? one : other;
}
