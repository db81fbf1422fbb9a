import { type Hole, segmentNameOn } from '../../domain/wal/contiguous.ts';
import type { Lsn } from '../../domain/wal/lsn.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { NamedArchive } from './archives.ts';
import type { ArchiveState } from './track-archive.ts';

export interface Looked extends NamedArchive {
  readonly state: ArchiveState;
}

/** What one archive lacks and another has. */
export interface Lacking {
  readonly name: string;
  /** Names of segments, in their order; at most so many as are copied at a time. */
  readonly segments: readonly string[];
  /** Of all. */
  readonly count: number;
}

export interface LackFinder {
  /** What each lacks that has not grown since the last look, and the holes that no archive fills. */
  look(
    archives: readonly Looked[],
    options: CallOptions,
  ): Promise<{ readonly lacking: readonly Lacking[]; readonly isGap: (name: string, hole: Hole) => boolean }>;
}

const mostAtATime = 1024;
/** Milliseconds until a hole that no other archive could fill is looked for again. */
const askAgainAfter = 600_000;

export function findLacking(): LackFinder {
  const ends = new Map<string, Lsn>();
  const emptyAt = new Map<string, number>();
  return {
    async look(archives, options) {
      const furthest = archives.reduce<Looked | undefined>(
        (best, each) => ((each.state.end ?? -1n) > (best?.state.end ?? -1n) ? each : best),
        undefined,
      );
      const lacking: Lacking[] = [];
      const gaps = new Set<string>();
      for (const each of archives) {
        const { name, state } = each;
        const others = archives.filter((other) => other !== each);
        const ranges: Range[] = [];
        for (const hole of state.gaps) {
          const key = keyOf(name, hole);
          const known = emptyAt.get(key);
          const isAsked = others.length > 0 && (known === undefined || performance.now() - known > askAgainAfter);
          if (isAsked && (await isElsewhere(hole, state.history, others, options))) {
            emptyAt.delete(key);
            ranges.push(hole);
          } else {
            if (isAsked) emptyAt.set(key, performance.now());
            gaps.add(key);
          }
        }
        const { end } = state;
        // Segments that are being stored are no lack.
        const stands = end !== undefined && ends.get(name) === end;
        if (end !== undefined) ends.set(name, end);
        if (stands && furthest?.state.end !== undefined && furthest.state.end > end)
          ranges.push({ from: end, to: furthest.state.end });
        const count = ranges.reduce((sum, { from, to }) => sum + segmentsIn({ from, to }, state.history), 0);
        const history = furthest?.state.history ?? state.history;
        if (count > 0)
          lacking.push({
            name,
            count,
            segments: ranges.flatMap((range) => namesIn(range, history)).slice(0, mostAtATime),
          });
      }
      return { lacking, isGap: (name, hole) => gaps.has(keyOf(name, hole)) };
    },
  };
}

interface Range {
  readonly from: Lsn;
  readonly to: Lsn;
}

type History = ArchiveState['history'];

function segmentsIn({ from, to }: Range, { segmentSize }: History): number {
  const size = BigInt(segmentSize);
  return Number((to + size - 1n) / size - from / size);
}

function namesIn(range: Range, history: History): readonly string[] {
  const size = BigInt(history.segmentSize);
  const first = range.from / size;
  const count = Math.min(segmentsIn(range, history), mostAtATime);
  return Array.from({ length: count }, (_, index) => segmentNameOn(history, (first + BigInt(index)) * size));
}

/** All of it, each segment somewhere. Of what is too long to be asked for, nobody says so. */
async function isElsewhere(
  hole: Hole,
  history: History,
  others: readonly NamedArchive[],
  options: CallOptions,
): Promise<boolean> {
  if (segmentsIn(hole, history) > mostAtATime) return false;
  for (const segment of namesIn(hole, history)) {
    const found = await Promise.all(others.map(({ archive }) => archive.has(segment, options)));
    if (!found.includes(true)) return false;
  }
  return true;
}

function keyOf(name: string, { fromWal, toWal }: Hole): string {
  return `${name}/${fromWal}-${toWal}`;
}
