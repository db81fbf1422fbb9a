import type { Lsn } from '../../domain/wal/lsn.ts';

export interface LagClock {
  /**
   * Seconds since the server was first seen beyond the archive's end. WAL in a segment that the server leaves open
   * although its archive timeout is over holds nothing that a recovery would miss (checkpoints of an idle server), so it
   * makes no lag.
   */
  seconds(observed: LagObservation): number;
}

export interface LagObservation {
  readonly now: Date;
  readonly current: Lsn;
  readonly end: Lsn;
  readonly segmentSize: number;
  /** When the last archived segment was stored: where more whole segments are missing, it has lasted since then. */
  readonly storedTime: Date | undefined;
  /** Seconds after which a segment is closed that holds anything of importance; undefined where nobody closes it. */
  readonly closedAfter: number | undefined;
}

/** Positions that are remembered; older ones are thinned out, the oldest stays. */
const limit = 1000;
/** Seconds that closing and archiving a segment may take. */
const grace = 60;

export function createLagClock(): LagClock {
  let seen: { readonly lsn: Lsn; readonly time: number }[] = [];
  return {
    seconds({ now, current, end, segmentSize, storedTime, closedAfter }) {
      const first = seen.length === 0;
      const behind = current / BigInt(segmentSize) > end / BigInt(segmentSize);
      if (current > (seen.at(-1)?.lsn ?? 0n)) {
        const since = first && behind && storedTime !== undefined ? storedTime.getTime() : now.getTime();
        seen.push({ lsn: current, time: Math.min(since, now.getTime()) });
      }
      // The last one stays, so that a position is not taken for new that was seen before.
      const later = seen.filter(({ lsn }) => lsn > end);
      seen = later.length === 0 ? seen.slice(-1) : later;
      if (seen.length > limit) seen = seen.filter((_, index) => index === 0 || index % 2 === 1);
      const oldest = later[0];
      if (oldest === undefined) return 0;
      const lag = Math.floor((now.getTime() - oldest.time) / 1000);
      return !behind && closedAfter !== undefined && lag > closedAfter + grace ? 0 : lag;
    },
  };
}
