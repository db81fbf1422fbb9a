import type { TimelineFiles } from '../wal/contiguous.ts';
import { segmentNameAt } from '../wal/file-name.ts';
import type { Lsn } from '../wal/lsn.ts';
import { SegmentRanges } from '../wal/segment-ranges.ts';
import { timelineAt } from '../wal/timeline-history.ts';
import type { Catalogue, CataloguedBackup } from './catalogue.ts';
import type { TimelinePath } from './resolve-timeline.ts';

/** The WAL of one recovery, as far as it goes without a hole. */
export interface NeededWal {
  /** The files that replay takes, in order. */
  readonly segments: readonly string[];
  /** Everything from the backup's beginning to here is there. */
  readonly end: Lsn;
  /** The first file that is missing although something after it is wanted, or is there; undefined at the archive's end. */
  readonly missing: string | undefined;
}

/**
 * Follows the path as PostgreSQL does (xlogrecovery.c, XLogFileReadAnyTLI): of each segment the newest timeline's file
 * that the path has a part of. A parent's file serves up to the fork only: what it holds behind it is another history.
 * With `until` it is followed so far; otherwise to the end of the archive.
 */
export function neededWal(
  backup: CataloguedBackup,
  path: TimelinePath,
  archived: Catalogue['files'],
  until?: Lsn,
): NeededWal {
  const size = BigInt(backup.segmentSize);
  const files = withOwnWal(backup, archived);
  const last = until === undefined ? lastNumber(path, files, size) : (until - 1n) / size;
  const segments: string[] = [];
  let end = (backup.begin / size) * size;
  for (let number = backup.begin / size; number <= last; number += 1n) {
    const { timeline, covered } = bestFile(number, path, files, size);
    if (timeline !== undefined) segments.push(segmentNameAt(timeline, number * size, backup.segmentSize));
    if (covered !== undefined) end = covered;
    if (covered === (number + 1n) * size || (covered !== undefined && until !== undefined && covered >= until))
      continue;
    const owner = timelineAt((number + 1n) * size - 1n, path.timeline, path.ancestors);
    return { segments, end, missing: segmentNameAt(owner, number * size, backup.segmentSize) };
  }
  return { segments, end, missing: undefined };
}

function bestFile(number: bigint, { timeline, ancestors }: TimelinePath, files: Catalogue['files'], size: bigint) {
  const begin = number * size;
  const has = (each: number) => files.get(each)?.segments.has(number) === true;
  const owner = timelineAt(begin + size - 1n, timeline, ancestors);
  if (has(owner)) return { timeline: owner, covered: begin + size };
  const left = ancestors.findLast((each) => each.end > begin && each.end < begin + size && has(each.timeline));
  return { timeline: left?.timeline, covered: left?.end };
}

/** The last segment of which the path has a part. */
function lastNumber({ timeline, ancestors }: TimelinePath, files: Catalogue['files'], size: bigint): bigint {
  let last = -1n;
  const consider = (each: number, end: Lsn | undefined) => {
    for (const number of files.get(each)?.segments ?? [])
      if (number > last && (end === undefined || number * size < end)) last = number;
  };
  for (const each of ancestors) consider(each.timeline, each.end);
  consider(timeline, undefined);
  return last;
}

/** A backup with walMethod Fetch or Stream brings what it needs to become consistent. */
function withOwnWal(backup: CataloguedBackup, files: Catalogue['files']): Catalogue['files'] {
  if (!backup.ownWal) return files;
  const size = BigInt(backup.segmentSize);
  const there: TimelineFiles | undefined = files.get(backup.timeline);
  const segments = new SegmentRanges(there?.segments);
  for (let number = backup.begin / size; number <= (backup.end - 1n) / size; number += 1n) segments.add(number);
  return new Map([...files, [backup.timeline, { segments, partials: there?.partials ?? new SegmentRanges() }]]);
}
