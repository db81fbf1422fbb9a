import type { WalGap } from '../../api/backup-policy.ts';
import { type Hole, segmentNameOn } from '../../domain/wal/contiguous.ts';
import type { Lsn } from '../../domain/wal/lsn.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { WalArchive } from '../../repository/wal-archive.ts';
import type { CommitTimes } from '../../repository/wal-index.ts';
import type { ArchiveState } from './track-archive.ts';

export interface CommitFinder {
  /** The last commit before the archive's end; what was known before is kept where the newest segments have none. */
  lastCommit(state: ArchiveState, options: CallOptions): Promise<Date | undefined>;
  /** The gaps with the last commit before and the first one after each, as far as they lie near. */
  describeGaps(state: ArchiveState, options: CallOptions): Promise<readonly WalGap[]>;
}

/** Segments that are read in one look. The first one may find an archive in which nothing happened for long. */
const readsAtFirst = 16;
const readsLater = 4;

/** Reads segments of one archive, each once. */
export function findCommits(archive: WalArchive): CommitFinder {
  let readUntil: Lsn | undefined;
  let last: Date | undefined;
  const gaps = new Map<string, WalGap>();
  const timesOf = (history: ArchiveState['history'], at: Lsn, options: CallOptions) =>
    archive.commitTimes(segmentNameOn(history, at), { ...options, segmentSize: history.segmentSize });
  return {
    async lastCommit({ end, from, history }, options) {
      if (end === undefined || end === readUntil) return last;
      const size = BigInt(history.segmentSize);
      const reads = readUntil === undefined ? readsAtFirst : readsLater;
      const floor = [readUntil ?? 0n, from ?? 0n, end - BigInt(reads) * size].reduce((one, other) =>
        one > other ? one : other,
      );
      // Only whole segments are read: the tail before a fork is followed by its child's copy soon.
      for (let begin = (end / size) * size - size; begin >= floor && begin >= 0n; begin -= size) {
        const found = (await timesOf(history, begin, options))?.lastCommitTime;
        if (found === undefined) continue;
        last = found;
        break;
      }
      readUntil = end;
      return last;
    },
    async describeGaps({ gaps: holes, history }, options) {
      const described: WalGap[] = [];
      for (const hole of holes) {
        const known = gaps.get(keyOf(hole)) ?? (await describe(hole, history, options, timesOf));
        gaps.set(keyOf(hole), known);
        described.push(known);
      }
      return described;
    },
  };
}

async function describe(
  { timeline, fromWal, toWal, from, to }: Hole,
  history: ArchiveState['history'],
  options: CallOptions,
  timesOf: (history: ArchiveState['history'], at: Lsn, options: CallOptions) => Promise<CommitTimes | undefined>,
): Promise<WalGap> {
  const size = BigInt(history.segmentSize);
  let fromTime: Date | undefined;
  let toTime: Date | undefined;
  for (let reads = 0n, at = from - 1n; reads < readsLater && at >= 0n && fromTime === undefined; reads += 1n) {
    fromTime = (await timesOf(history, at, options))?.lastCommitTime;
    at -= size;
  }
  for (let reads = 0n; reads < readsLater && toTime === undefined; reads += 1n) {
    toTime = (await timesOf(history, to + reads * size, options))?.firstCommitTime;
  }
  return {
    timeline,
    fromWal,
    toWal,
    ...(fromTime === undefined ? {} : { fromTime: fromTime.toISOString() }),
    ...(toTime === undefined ? {} : { toTime: toTime.toISOString() }),
  };
}

function keyOf({ fromWal, toWal }: Hole): string {
  return `${fromWal}-${toWal}`;
}
