import type { FileHandle } from 'node:fs/promises';

/** At a place of the file, or where it is. */
export async function writeWhole(file: FileHandle, piece: Buffer, at?: number): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    const place = at === undefined ? null : at + written;
    const { bytesWritten } = await file.write(piece, written, piece.length - written, place);
    written += bytesWritten;
  }
}
