import type { Lsn } from '../wal/lsn.ts';

/** What a server knows of the blocks that its WAL has changed (PostgreSQL, "WAL Summarization"). */
export interface Summaries {
  /** summarize_wal. */
  readonly enabled: boolean;
  /** undefined where the role may not ask. */
  readonly available: readonly Summary[] | undefined;
}

export interface Summary {
  readonly timeline: number;
  readonly start: Lsn;
  readonly end: Lsn;
}

/**
 * Whether no summary is missing between a position and the newest one: false means that it is gone, or never was. Where
 * the server has come no further than the position, nothing is known to be missing, and the server itself waits for it.
 */
export function coversSince(available: readonly Summary[], timeline: number, from: Lsn): boolean {
  const later = available
    .filter((summary) => summary.timeline === timeline && summary.end > from)
    .toSorted((one, other) => (one.start < other.start ? -1 : one.start > other.start ? 1 : 0));
  let reached = from;
  for (const { start, end } of later) {
    if (start > reached) return false;
    if (end > reached) reached = end;
  }
  return true;
}
