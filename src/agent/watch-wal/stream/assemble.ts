import { segmentNameAt } from '../../../domain/wal/file-name.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { readSegment, segmentHeaderBytes } from '../../../domain/wal/read-segment.ts';
import type { WalContent } from '../../../repository/large-wal.ts';

/** Puts what comes in pieces into whole segments. */
export interface Assembly {
  /** The end of what has come. */
  readonly position: () => Lsn;
  /** Gives the segments that these bytes complete. Bytes that do not follow those before are a RangeError. */
  add(start: Lsn, data: Buffer): readonly Assembled[];
  /** The segment that is not complete, with zeros after its last byte; undefined at a boundary. */
  tail(): Tail | undefined;
  /** Whether a commit is in the segment that is not complete. */
  holdsCommit(): boolean;
  /** Takes back a segment's memory, or its file, that nobody reads any more. */
  reuse(content: WalContent): void;
  close(): void;
}

export interface Assembled {
  readonly begin: Lsn;
  readonly content: WalContent;
  /** Its beginning, by which it is told what segment it is, and how many bytes it has. */
  readonly head: Buffer;
  readonly size: number;
}

export interface Tail extends Assembled {
  readonly length: number;
}

/** In memory. `start` is the beginning of a segment. */
export function assembleSegments(start: Lsn, segmentSize: number, timeline = 1): Assembly {
  const free: Buffer[] = [];
  let position = start;
  let open: Buffer | undefined;
  const take = () => free.pop() ?? Buffer.allocUnsafeSlow(segmentSize);
  const offsetOf = (lsn: Lsn) => Number(lsn % BigInt(segmentSize));
  return {
    position: () => position,
    add(at, data) {
      if (at !== position) throw new RangeError(`WAL from ${at} follows WAL up to ${position}`);
      const complete: Assembled[] = [];
      for (let read = 0; read < data.length; ) {
        open ??= take();
        const offset = offsetOf(position);
        const copied = data.copy(open, offset, read, Math.min(data.length, read + segmentSize - offset));
        read += copied;
        position += BigInt(copied);
        if (offset + copied < segmentSize) continue;
        complete.push({ begin: position - BigInt(segmentSize), content: open, head: open, size: segmentSize });
        open = undefined;
      }
      return complete;
    },
    tail() {
      const length = offsetOf(position);
      if (open === undefined) return undefined;
      open.fill(0, length);
      return { begin: position - BigInt(length), content: open, head: open, size: segmentSize, length };
    },
    holdsCommit() {
      const length = offsetOf(position);
      if (open === undefined || length <= segmentHeaderBytes) return false;
      open.fill(0, length);
      const name = segmentNameAt(timeline, position - BigInt(length), segmentSize);
      return readSegment(open, name).lastCommitTime !== undefined;
    },
    reuse(content) {
      if (Buffer.isBuffer(content)) free.push(content);
    },
    close: () => undefined,
  };
}
