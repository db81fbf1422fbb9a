import type { FileHandle } from 'node:fs/promises';

/** At the file's current place. */
export async function writeWhole(file: FileHandle, piece: Buffer): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    const { bytesWritten } = await file.write(piece, written);
    written += bytesWritten;
  }
}
