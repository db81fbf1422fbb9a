import { constants } from 'node:fs';
import type { Compression } from './compress.ts';
import { fileInPieces } from './file-in-pieces.ts';
import { freeInOrder } from './free-in-order.ts';
import { isUnpackedInside, unpacked } from './unpack.ts';

const pieceSize = 1024 ** 2;

/** A packed file of our own, unpacked. A piece's memory is its own only until the next one is asked for. */
export async function* unpackedFile(
  path: string,
  compression: Pick<Compression, 'algorithm'>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const packed = fileInPieces(path, pieceSize, constants.O_NOFOLLOW);
  const memory = isUnpackedInside(compression) ? freeInOrder() : undefined;
  for await (const piece of unpacked(compression, packed, signal)) {
    signal.throwIfAborted();
    memory?.sent(piece);
    memory?.arrived(piece);
    yield piece;
  }
}
