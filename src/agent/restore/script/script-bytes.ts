import { constants } from 'node:fs';
import type { Compression } from '../../../stream/compress.ts';
import { fileInPieces } from '../../../stream/file-in-pieces.ts';
import { freeInOrder } from '../../../stream/free-in-order.ts';
import { isUnpackedInside, unpacked } from '../../../stream/unpack.ts';
import type { Range, Script } from './read-script.ts';

/** A script that lies packed in scratch, unpacked from its begin to its end. */
export interface ScriptBytes {
  /** The ranges follow one another. A piece's memory is its own only until the next one is asked for. Who needs no more may leave. */
  read(range: Range): AsyncGenerator<Buffer, void, void>;
  /** Reads what is left; rejects where it is not the script that was read before. */
  end(): Promise<void>;
  close(): Promise<void>;
}

const pieceSize = 1024 ** 2;

export function openScript(
  path: string,
  {
    script: { size },
    compression,
    signal,
  }: {
    readonly script: Pick<Script, 'size'>;
    readonly compression: Compression;
    readonly signal: AbortSignal;
  },
): ScriptBytes {
  const packed = fileInPieces(path, pieceSize, constants.O_NOFOLLOW);
  const pieces = unpacked(compression, packed, signal)[Symbol.asyncIterator]();
  const memory = isUnpackedInside(compression) ? freeInOrder() : undefined;
  let piece: Buffer = Buffer.alloc(0);
  let start = 0;
  /** Whoever had the piece before is done with it. */
  const advance = async (): Promise<boolean> => {
    signal.throwIfAborted();
    const next = await pieces.next();
    if (next.done === true) return false;
    start += piece.length;
    piece = next.value;
    memory?.sent(piece);
    memory?.arrived(piece);
    return true;
  };
  return {
    async *read(range) {
      if (range.start < start) throw new Error(`${path} is read from byte ${range.start} of the script again`);
      while (start < range.end) {
        const part = piece.subarray(Math.max(0, range.start - start), range.end - start);
        if (part.length > 0) yield part;
        if (start + piece.length >= range.end) return;
        if (!(await advance())) throw new Error(`${path} ends before byte ${range.end} of the script`);
      }
    },
    async end() {
      while (await advance());
      const found = start + piece.length;
      if (found !== size) throw new Error(`${path} holds ${found} bytes of a script of ${size}`);
    },
    async close() {
      await pieces.return?.();
    },
  };
}
