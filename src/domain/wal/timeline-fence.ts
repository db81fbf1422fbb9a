import { parseWalFileName, startOfSegment } from './file-name.ts';
import type { Lsn } from './lsn.ts';
import type { Ancestor } from './timeline-history.ts';

export interface Left {
  /** Where the timeline was left, by the last of its children. */
  readonly at: Lsn;
  readonly child: number;
}

/** Where the timelines of an archive left one for good; undefined where none did. */
export function whereLeft(timeline: number, histories: ReadonlyMap<number, readonly Ancestor[]>): Left | undefined {
  let last: Left | undefined;
  for (const [child, ancestors] of histories) {
    const at = ancestors.find((ancestor) => ancestor.timeline === timeline)?.end;
    if (at !== undefined && (last === undefined || at > last.at)) last = { at, child };
  }
  return last;
}

/**
 * Where a segment's timeline was left before the segment begins: only a primary that does not know of its successor writes
 * such WAL. The segment in whose middle the timeline was left is the parent's as well.
 */
export function leftBefore(
  name: string,
  segmentSize: number,
  histories: ReadonlyMap<number, readonly Ancestor[]>,
): Left | undefined {
  const file = parseWalFileName(name);
  if (file === undefined || file.kind === 'History') return undefined;
  const left = whereLeft(file.timeline, histories);
  return left !== undefined && startOfSegment(file.number, segmentSize) >= left.at ? left : undefined;
}
