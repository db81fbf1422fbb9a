import { type Lsn, parseLsn } from './lsn.ts';

/** One line of a history file: the timeline was left at `end` for its child. */
export interface Ancestor {
  readonly timeline: number;
  readonly end: Lsn;
}

/**
 * The ancestors of a timeline, oldest first, as its history file has them (PostgreSQL, timeline.c): number, switchpoint
 * and reason by tabs, comments after #. Timeline 1 has no file and no ancestor. Throws a RangeError for anything else.
 */
export function parseTimelineHistory(text: string): readonly Ancestor[] {
  let last = 0;
  return text.split('\n').flatMap((line) => {
    const content = line.replace(/#.*/, '').trim();
    if (content === '') return [];
    const [, timeline, end] = /^(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(\s|$)/.exec(content) ?? [];
    if (timeline === undefined || end === undefined) throw new RangeError(`not a line of a history file: ${content}`);
    const number = Number(timeline);
    // As a server reads it (timeline.c, readTimeLineHistory).
    if (number <= last || number > 0xffff_ffff) throw new RangeError(`timelines out of their order: ${content}`);
    last = number;
    return [{ timeline: number, end: parseLsn(end) }];
  });
}

/** Which timeline a byte of the WAL lies on, for who follows `timeline` with these ancestors. */
export function timelineAt(lsn: Lsn, timeline: number, ancestors: readonly Ancestor[]): number {
  return ancestors.find(({ end }) => lsn < end)?.timeline ?? timeline;
}

/** Up to where `ancestor` is part of `timeline`: undefined where it is no ancestor, 'open' for the timeline itself. */
export function endOn(ancestor: number, timeline: number, ancestors: readonly Ancestor[]): Lsn | 'open' | undefined {
  if (ancestor === timeline) return 'open';
  return ancestors.find((entry) => entry.timeline === ancestor)?.end;
}
