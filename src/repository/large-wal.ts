import { createHash } from 'node:crypto';
import { transient } from '../domain/failure.ts';
import { textOf } from '../stream/digest.ts';
import { inOnePiece } from '../stream/in-one-piece.ts';

/** A file of WAL that is not held in memory: as often as it is asked for it is read anew, from its beginning. */
export interface LargeWal {
  read(): AsyncIterable<Buffer>;
}

/** A file of WAL as the server wrote it. */
export type WalContent = Buffer | LargeWal;

/** Segments of more bytes are never held whole. */
export const largestInMemory = 64 * 1024 ** 2;

export function piecesOf(content: WalContent): AsyncIterable<Buffer> {
  return Buffer.isBuffer(content) ? inOnePiece(content) : content.read();
}

/** Passes them on, and rejects where they are not as many as they must be: what is cut short must not be stored. */
export async function* exactly(
  pieces: AsyncIterable<Buffer>,
  size: number,
  name: string,
): AsyncGenerator<Buffer, void, void> {
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    yield piece;
  }
  if (length === size) return;
  throw transient(
    'FileChanged',
    `${name} gave ${length} bytes, and has ${size}. Nothing of it was kept; it is read again.`,
  );
}

/** The bytes that are read in the order in which they are held against what else there is. */
export interface Comparison {
  /** Whether these bytes are the next of the content. */
  isNext(piece: Buffer): Promise<boolean>;
  isAtEnd(): Promise<boolean>;
  close(): Promise<void>;
}

export function compareWith(content: WalContent): Comparison {
  const pieces = piecesOf(content)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async () => {
    while (rest.length === 0) {
      const next = await pieces.next();
      if (next.done === true) return false;
      rest = next.value;
    }
    return true;
  };
  return {
    async isNext(piece) {
      for (let at = 0; at < piece.length; ) {
        if (!(await more())) return false;
        const length = Math.min(rest.length, piece.length - at);
        if (!rest.subarray(0, length).equals(piece.subarray(at, at + length))) return false;
        rest = rest.subarray(length);
        at += length;
      }
      return true;
    },
    isAtEnd: async () => !(await more()),
    async close() {
      await pieces.return?.();
    },
  };
}

export interface WalDigest {
  readonly size: number;
  readonly sha256: string;
}

/** `onPiece` sees what is read, so that it is read once. */
export async function digestOf(
  content: WalContent,
  onPiece: (piece: Buffer) => void = () => undefined,
): Promise<WalDigest> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of piecesOf(content)) {
    hash.update(piece);
    size += piece.length;
    onPiece(piece);
  }
  return { size, sha256: textOf(hash) };
}
