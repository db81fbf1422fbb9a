import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../domain/failure.ts';
import { tarBlock } from '../../stream/tar.ts';
import { type Archive, ArchiveCutShort, parseArchive, UnknownArchive } from './archive.ts';
import { corrupted } from './fetch-object.ts';

/** Bytes, in which most tables of contents have room. */
export const firstRead = 1024 ** 2;

/** The table of contents of an unpacked dump; `database` is for messages. */
export async function readArchive(
  { path, format }: { readonly path: string; readonly format: Archive['format'] },
  database: string,
): Promise<Archive> {
  const file = await open(format === 'Directory' ? join(path, tableOfContents) : path);
  try {
    const { size } = await file.stat();
    for (let length = Math.min(firstRead, size); ; length = Math.min(length * 4, size)) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
      const start = buffer.subarray(0, bytesRead);
      try {
        return format === 'Tar' ? readStartOfTar(start, database) : { ...parseArchive(start), format };
      } catch (error) {
        if (error instanceof ArchiveCutShort && length < size) continue;
        throw unreadable(error, database);
      }
    }
  } finally {
    await file.close();
  }
}

const tableOfContents = 'toc.dat';

/**
 * pg_dump puts the table of contents first, under its own name and with its size in octal digits (POSIX, ustar). Throws
 * an ArchiveCutShort where more of the tar is needed.
 */
export function readStartOfTar(start: Buffer, database: string): Archive {
  if (start.length < tarBlock) throw new ArchiveCutShort('the header is not complete');
  const field = (from: number, length: number) =>
    /^[^\0]*/.exec(start.toString('latin1', from, from + length))?.[0] ?? '';
  const size = Number.parseInt(field(124, 12), 8);
  if (field(0, 100) !== tableOfContents || !(size >= 0))
    throw corrupted(`the dump of database ${database} is a tar without a ${tableOfContents}`);
  const contents = start.subarray(tarBlock, tarBlock + size);
  try {
    return { ...parseArchive(contents), format: 'Tar' };
  } catch (error) {
    // What follows the member does not mend it.
    throw contents.length < size ? error : unreadable(error, database);
  }
}

/** What is wrong with a table of contents, for people. */
export function unreadable(error: unknown, database: string): unknown {
  if (error instanceof ArchiveCutShort) return corrupted(`the dump of database ${database} ends too early`, error);
  if (!(error instanceof UnknownArchive)) return error;
  return terminal(
    'UnknownFormat',
    `The dump of database ${database} is not one that this version of Tidemark can read: ${error.message}. Nothing was changed in the target. Use the version of Tidemark that made it or a later one, or restore by hand with pg_restore (docs/restore-by-hand.md).`,
    error,
  );
}
