import type { Lsn } from '../../../domain/wal/lsn.ts';

/** Puts what comes in pieces into whole segments. */
export interface Assembly {
  /** The end of what has come. */
  readonly position: () => Lsn;
  /** Gives the segments that these bytes complete. Bytes that do not follow those before are a RangeError. */
  add(start: Lsn, data: Buffer): readonly Assembled[];
  /** The segment that is not complete, with zeros after its last byte; undefined at a boundary. */
  tail(): Tail | undefined;
  /** Takes back a segment's memory that nobody reads any more. */
  reuse(content: Buffer): void;
}

export interface Assembled {
  readonly begin: Lsn;
  readonly content: Buffer;
}

export interface Tail extends Assembled {
  readonly length: number;
}

/** `start` is the beginning of a segment. */
export function assembleSegments(start: Lsn, segmentSize: number): Assembly {
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
        complete.push({ begin: position - BigInt(segmentSize), content: open });
        open = undefined;
      }
      return complete;
    },
    tail() {
      const length = offsetOf(position);
      if (open === undefined) return undefined;
      open.fill(0, length);
      return { begin: position - BigInt(length), content: open, length };
    },
    reuse(content) {
      free.push(content);
    },
  };
}
