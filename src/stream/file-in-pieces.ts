import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A file from its beginning to its end. `flags` besides reading it, such as O_NOFOLLOW. */
export async function* fileInPieces(path: string, pieceSize: number, flags = 0): AsyncGenerator<Buffer, void, void> {
  const handle = await open(path, constants.O_RDONLY | flags);
  try {
    yield* handle.createReadStream({ highWaterMark: pieceSize, autoClose: false });
  } finally {
    await handle.close();
  }
}
