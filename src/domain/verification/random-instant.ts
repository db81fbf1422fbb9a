import type { BackupPolicyStatus, WalGap } from '../../api/backup-policy.ts';
import type { BackupRun } from '../../api/kinds.ts';

type Restorable = NonNullable<BackupPolicyStatus['restorable']>;

/** Milliseconds since 1970; both ends can be restored. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The instants that can be restored from these base backups, the gaps left out: what comes after a gap can be reached only
 * from the first base that begins behind it. A gap that does not say when it was reaches back to the base before it.
 */
export function restorableSpans({ latestTime, gaps = [] }: Restorable, bases: readonly BackupRun[]): readonly Span[] {
  const ends = bases.flatMap(({ status }) => {
    const { completionTime, wal } = status ?? {};
    return completionTime === undefined ? [] : [{ end: Date.parse(completionTime), segment: wal?.beginSegment }];
  });
  if (latestTime === undefined || ends.length === 0) return [];
  const last = Date.parse(latestTime);
  let spans: readonly Span[] = [{ from: Math.min(...ends.map(({ end }) => end)), to: last }];
  for (const gap of gaps) {
    const behind = ends.filter(({ segment }) => isBehind(segment, gap)).map(({ end }) => end);
    const before = ends.filter(({ segment }) => !isBehind(segment, gap)).map(({ end }) => end);
    const from = gap.fromTime === undefined ? Math.max(Number.NEGATIVE_INFINITY, ...before) : Date.parse(gap.fromTime);
    const to = Math.min(Number.POSITIVE_INFINITY, ...behind);
    spans = spans.flatMap((span) => without(span, { from, to }));
  }
  return spans;
}

/** `fraction` from 0 to 1. Whole seconds, with a commit after them by which replay knows that it is there. */
export function instantIn(spans: readonly Span[], fraction: number): Date | undefined {
  const whole = spans
    .map(({ from, to }) => ({ from: Math.ceil(from / 1000), to: Math.ceil(to / 1000) - 1 }))
    .filter(({ from, to }) => to >= from);
  const seconds = whole.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  let place = Math.min(seconds - 1, Math.floor(fraction * seconds));
  for (const { from, to } of whole) {
    const length = to - from + 1;
    if (place < length) return new Date((from + place) * 1000);
    place -= length;
  }
  return undefined;
}

function isBehind(beginSegment: string | undefined, { toWal }: WalGap): boolean {
  return beginSegment !== undefined && beginSegment.slice(8) > toWal.slice(8);
}

function without({ from, to }: Span, hole: Span): readonly Span[] {
  if (hole.to <= from || hole.from >= to) return [{ from, to }];
  return [...(hole.from > from ? [{ from, to: hole.from }] : []), ...(hole.to < to ? [{ from: hole.to, to }] : [])];
}
