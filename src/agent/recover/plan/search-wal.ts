import type { Moment } from '../../../domain/recovery/moment.ts';
import type { NeededWal } from '../../../domain/recovery/needed-wal.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import type { RestorePoint } from '../../../domain/wal/read-segment.ts';
import { inParallel } from '../../in-parallel.ts';
import type { ReadFacts, WalReader } from './read-wal.ts';

/** How the WAL of a recovery ends. */
export interface WalEnd {
  /** Of the last record. */
  readonly endOfRecords: Lsn | undefined;
  /** Where the last record begins: the last LSN that can be a target. */
  readonly lastRecord: Lsn | undefined;
  readonly lastCommit: Moment | undefined;
  /** Every how many seconds the source writes a heartbeat, where one was found near the end. */
  readonly heartbeatSeconds?: number | undefined;
}

const width = 4;

/** Segments before the last commit's that are read for a heartbeat: a busy server fills several between two of them. */
const furtherForHeartbeat = 4;

/** Reads backwards until the last commit is found, and a little further where `heartbeat` is asked about. */
export async function readEnd(wal: NeededWal, reader: WalReader, heartbeat = false): Promise<WalEnd> {
  const { segments, end } = wal;
  let endOfRecords: Lsn | undefined;
  let lastRecord: Lsn | undefined;
  for (let until = segments.length, step = 1; until > 0; until -= step, step = width) {
    const names = segments.slice(Math.max(0, until - step), until).reverse();
    for (const [index, facts] of (await inParallel(names, width, (name) => reader.read(name, end))).entries()) {
      if (facts?.lastRecord !== undefined) {
        lastRecord ??= facts.lastRecord;
        endOfRecords ??= facts.endOfRecords;
      }
      if (facts?.lastCommit === undefined) continue;
      const { lastCommit, heartbeatSeconds } = facts;
      const found = { endOfRecords, lastRecord, lastCommit };
      if (!heartbeat) return found;
      return { ...found, heartbeatSeconds: heartbeatSeconds ?? (await findHeartbeat(wal, reader, until - 1 - index)) };
    }
  }
  return { endOfRecords, lastRecord, lastCommit: undefined };
}

async function findHeartbeat(
  { segments, end }: NeededWal,
  reader: WalReader,
  before: number,
): Promise<number | undefined> {
  for (const name of segments.slice(Math.max(0, before - furtherForHeartbeat), before).reverse()) {
    const said = (await reader.read(name, end))?.heartbeatSeconds;
    if (said !== undefined) return said;
  }
  return undefined;
}

export interface StoppingSegment {
  readonly name: string;
  /** The last commit in it. */
  readonly commit: Moment;
}

/**
 * The segment in which replay to a moment stops: the first with a commit that `isAfter`. Commit times grow with the WAL,
 * but for a clock that was set back, so that halving finds it by reading few. The last commit must be after it.
 */
export async function findStop(
  { segments, end }: NeededWal,
  reader: WalReader,
  isAfter: (commit: Moment) => boolean,
): Promise<StoppingSegment | undefined> {
  let answer: StoppingSegment | undefined;
  let low = 0;
  for (let high = segments.length; low < high; ) {
    const middle = Math.floor((low + high) / 2);
    const found = await firstCommits(segments, middle, high, (name) => reader.read(name, end));
    if (found === undefined) high = middle;
    else if (isAfter(found.commit)) {
      answer = found;
      high = middle;
    } else low = found.index + 1;
  }
  return answer;
}

async function firstCommits(
  segments: readonly string[],
  from: number,
  to: number,
  read: (name: string) => Promise<ReadFacts | undefined>,
): Promise<(StoppingSegment & { readonly index: number }) | undefined> {
  for (const [offset, name] of segments.slice(from, to).entries()) {
    const commit = (await read(name))?.lastCommit;
    if (commit !== undefined) return { index: from + offset, name, commit };
  }
  return undefined;
}

/** All restore points, in the order of the WAL: reads all of it. */
export async function findRestorePoints(
  { segments, end }: NeededWal,
  reader: WalReader,
): Promise<readonly RestorePoint[]> {
  const read = await inParallel(segments, width, (name) => reader.read(name, end));
  return read.flatMap((facts) => facts?.restorePoints ?? []);
}
