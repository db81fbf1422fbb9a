import type { Lsn } from '../../domain/wal/lsn.ts';

/** Up to where as many archives as must have it hold WAL, of the ends of all; absent: every one. Of fewer, all of those. */
export function heldBy(ends: readonly Lsn[], minimum?: number): Lsn | undefined {
  const furthest = ends.toSorted((one, other) => (one < other ? 1 : one > other ? -1 : 0));
  return furthest[Math.min(minimum ?? ends.length, ends.length) - 1];
}
