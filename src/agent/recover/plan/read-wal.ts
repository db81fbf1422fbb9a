import { lastRecordBegin } from '../../../domain/recovery/last-record.ts';
import { parseWalFileName, startOfSegment } from '../../../domain/wal/file-name.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { type RestorePoint, readSegment, readSegmentInPieces } from '../../../domain/wal/read-segment.ts';
import { largestInMemory } from '../../../repository/large-wal.ts';
import type { WalSource } from '../run/wal-source.ts';

/** What a recovery wants to know of a segment. */
export interface ReadFacts {
  /** Microseconds since 1970. */
  readonly lastCommit: number | undefined;
  readonly restorePoints: readonly RestorePoint[];
  readonly heartbeatSeconds: number | undefined;
  readonly endOfRecords: Lsn;
  /** undefined where no record ends in it. */
  readonly lastRecord: Lsn | undefined;
}

/** Reads segments, each once. */
export interface WalReader {
  /** Up to `end`, where that is within the segment. undefined where it is within the base backup, out of reach. */
  read(name: string, end: Lsn): Promise<ReadFacts | undefined>;
}

export function walReader(source: WalSource, segmentSize: number, signal: AbortSignal): WalReader {
  const known = new Map<string, Promise<ReadFacts | undefined>>();
  return {
    read(name, end) {
      const begin = beginOf(name, segmentSize);
      const bytes = Math.min(segmentSize, Number(end - begin));
      const key = `${name}:${bytes}`;
      const reading = known.get(key) ?? readFacts(source, name, { bytes, segmentSize }, signal);
      known.set(key, reading);
      return reading;
    },
  };
}

export function beginOf(name: string, segmentSize: number): Lsn {
  const file = parseWalFileName(name);
  if (file?.kind !== 'Segment') throw new RangeError(`${name} is no segment`);
  return startOfSegment(file.number, segmentSize);
}

/** Behind a fork, a parent's file holds what is not part of this history. */
async function readFacts(
  source: WalSource,
  name: string,
  { bytes, segmentSize }: { readonly bytes: number; readonly segmentSize: number },
  signal: AbortSignal,
): Promise<ReadFacts | undefined> {
  if (segmentSize > largestInMemory) {
    const found = await source.readInto(name, (pieces) => readSegmentInPieces(upTo(pieces, bytes), name), { signal });
    return found === undefined ? undefined : { ...found, lastCommit: found.lastCommitMicroseconds };
  }
  const whole = await source.get(name, { signal });
  if (whole === undefined) return undefined;
  const content = whole.subarray(0, bytes);
  const facts = readSegment(content, name);
  return {
    lastCommit: facts.lastCommitMicroseconds,
    restorePoints: facts.restorePoints,
    heartbeatSeconds: facts.heartbeatSeconds,
    endOfRecords: facts.endOfRecords,
    lastRecord: lastRecordBegin(content, facts.begin, facts.pageSize),
  };
}

async function* upTo(pieces: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer, void, void> {
  let left = bytes;
  for await (const piece of pieces) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}
