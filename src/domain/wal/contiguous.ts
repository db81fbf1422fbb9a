import { parseWalFileName, segmentNameAt, startOfSegment } from './file-name.ts';
import type { Lsn } from './lsn.ts';
import { type SegmentNumbers, SegmentRanges } from './segment-ranges.ts';
import { type Ancestor, timelineAt } from './timeline-history.ts';

/** What one timeline's folder of an archive holds: numbers of segments, counted from the beginning of the WAL. */
export interface TimelineFiles {
  readonly segments: SegmentNumbers;
  /** The last one of a timeline that was left in its middle. */
  readonly partials: SegmentNumbers;
}

export interface ArchivedWal {
  readonly files: ReadonlyMap<number, TimelineFiles>;
  /** The timeline that is followed to its end, and its ancestors, oldest first. */
  readonly timeline: number;
  readonly ancestors: readonly Ancestor[];
  /** Bytes. */
  readonly segmentSize: number;
}

/** WAL that is not there although later WAL is; names as the server would give them. */
export interface Hole {
  readonly timeline: number;
  readonly fromWal: string;
  readonly toWal: string;
  readonly from: Lsn;
  readonly to: Lsn;
}

export interface Contiguity {
  /** Everything from the start to here is archived. */
  readonly end: Lsn;
  /** The end of what is archived after the last hole; the same as `end` where there is none. */
  readonly newestEnd: Lsn;
  readonly holes: readonly Hole[];
}

/**
 * How far the archive goes without a hole, along the timeline and its ancestors. Without `start` it is counted from the
 * oldest segment there is; undefined where nothing of this history is archived.
 *
 * A segment that a timeline was left in belongs to the child, whose copy begins with the parent's bytes; without that
 * copy, what the parent archived of it (whole or as .partial) counts up to the fork.
 */
export function contiguity(archived: ArchivedWal, start?: Lsn): Contiguity | undefined {
  const size = BigInt(archived.segmentSize);
  const first = start === undefined ? firstPresent(archived) : start / size;
  if (first === undefined) return undefined;
  let covered = first * size;
  const runs: Lsn[] = [];
  const holes: Hole[] = [];
  for (const number of presentSegments(archived)) {
    if (number < first) continue;
    const begin = number * size;
    if (begin > covered) {
      runs.push(covered);
      holes.push(...holesBetween(covered, begin, archived));
    }
    const until = coveredUntil(number, archived);
    if (until !== undefined && until > covered) covered = until;
  }
  return { end: runs[0] ?? covered, newestEnd: covered, holes };
}

/** Sorts what a listing gave; names that are no segment's are left out. */
export function timelineFiles(names: Iterable<string>, segmentSize: number): TimelineFiles {
  const files = { segments: new SegmentRanges(), partials: new SegmentRanges() };
  for (const name of names) addFile(files, name, segmentSize);
  return files;
}

/** As timelineFiles(), while it is listed: there may be a million names. */
export async function readTimelineFiles(
  listed: AsyncIterable<{ readonly name: string }>,
  segmentSize: number,
): Promise<TimelineFiles> {
  const files = { segments: new SegmentRanges(), partials: new SegmentRanges() };
  for await (const { name } of listed) addFile(files, name, segmentSize);
  return files;
}

function addFile(
  { segments, partials }: { readonly segments: SegmentRanges; readonly partials: SegmentRanges },
  name: string,
  segmentSize: number,
): void {
  const file = parseWalFileName(name);
  if (file === undefined || (file.kind !== 'Segment' && file.kind !== 'Partial')) return;
  const number = startOfSegment(file.number, segmentSize) / BigInt(segmentSize);
  (file.kind === 'Segment' ? segments : partials).add(number);
}

/** The name of the segment that recovery along this history wants for a byte: that of its last byte's timeline. */
export function segmentNameOn({ timeline, ancestors, segmentSize }: Omit<ArchivedWal, 'files'>, lsn: Lsn): string {
  const size = BigInt(segmentSize);
  const owner = timelineAt((lsn / size + 1n) * size - 1n, timeline, ancestors);
  return segmentNameAt(owner, lsn, segmentSize);
}

/** In order, and none of them kept: there may be a million. */
function* presentSegments(archived: ArchivedWal): Generator<bigint, void, void> {
  const { files, timeline, ancestors } = archived;
  const numbers = new SegmentRanges(files.get(timeline)?.segments);
  for (const each of [timeline, ...ancestors.map((ancestor) => ancestor.timeline)]) {
    if (each !== timeline) for (const number of files.get(each)?.segments ?? []) numbers.add(number);
    for (const number of files.get(each)?.partials ?? []) numbers.add(number);
  }
  for (const number of numbers) if (coveredUntil(number, archived) !== undefined) yield number;
}

function firstPresent(archived: ArchivedWal): bigint | undefined {
  for (const number of presentSegments(archived)) return number;
  return undefined;
}

/** Up to where a segment's bytes are archived on this history; undefined where none are. */
function coveredUntil(number: bigint, { files, timeline, ancestors, segmentSize }: ArchivedWal): Lsn | undefined {
  const begin = number * BigInt(segmentSize);
  const end = begin + BigInt(segmentSize);
  const owner = timelineAt(end - 1n, timeline, ancestors);
  if (files.get(owner)?.segments.has(number) === true) return end;
  const left = ancestors.findLast(
    (ancestor) =>
      ancestor.end > begin &&
      ancestor.end < end &&
      (files.get(ancestor.timeline)?.segments.has(number) === true ||
        files.get(ancestor.timeline)?.partials.has(number) === true),
  );
  return left?.end;
}

/** One hole for each timeline that the missing segments belong to. */
function holesBetween(from: Lsn, to: Lsn, archived: ArchivedWal): readonly Hole[] {
  const { timeline, ancestors, segmentSize } = archived;
  const size = BigInt(segmentSize);
  const holes: Hole[] = [];
  for (let begin = from; begin < to; ) {
    const segmentEnd = (begin / size + 1n) * size;
    const owner = timelineAt(segmentEnd - 1n, timeline, ancestors);
    const left = ancestors.find((ancestor) => ancestor.timeline === owner)?.end;
    // The segment in which the owner was left is its child's.
    const until = left === undefined ? to : least((left / size) * size, to);
    holes.push({
      timeline: owner,
      fromWal: segmentNameAt(owner, begin, segmentSize),
      toWal: segmentNameAt(owner, until - 1n, segmentSize),
      from: begin,
      to: until,
    });
    begin = until;
  }
  return holes;
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
