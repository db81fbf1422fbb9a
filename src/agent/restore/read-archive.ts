import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../domain/failure.ts';
import { type Archive, ArchiveCutShort, parseArchive, UnknownArchive } from './archive.ts';
import { corrupted } from './fetch-object.ts';

const firstRead = 1024 ** 2;

/** The table of contents of an unpacked dump; `database` is for messages. */
export async function readArchive(
  { path, format }: { readonly path: string; readonly format: Archive['format'] },
  database: string,
): Promise<Archive> {
  const file = await open(format === 'Directory' ? join(path, tableOfContents) : path);
  try {
    const { start, size } =
      format === 'Tar' ? await findFirstMember(file, database) : { start: 0, ...(await file.stat()) };
    for (let length = Math.min(firstRead, size); ; length = Math.min(length * 4, size)) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
      try {
        return { ...parseArchive(buffer.subarray(0, bytesRead)), format };
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
const tarBlock = 512;

/** pg_dump puts the table of contents first, under its own name and with its size in octal digits (POSIX, ustar). */
async function findFirstMember(file: FileHandle, database: string) {
  const { buffer } = await file.read(Buffer.alloc(tarBlock), 0, tarBlock, 0);
  const field = (from: number, length: number) =>
    /^[^\0]*/.exec(buffer.toString('latin1', from, from + length))?.[0] ?? '';
  if (field(0, 100) !== tableOfContents) throw corrupted(`the dump of database ${database} is a tar without a toc.dat`);
  const size = Number.parseInt(field(124, 12), 8);
  const there = (await file.stat()).size - tarBlock;
  if (!(size >= 0 && size <= there))
    throw corrupted(`the dump of database ${database} is a tar that ends within its toc.dat`);
  return { start: tarBlock, size };
}

function unreadable(error: unknown, database: string): unknown {
  if (error instanceof ArchiveCutShort) return corrupted(`the dump of database ${database} ends too early`, error);
  if (!(error instanceof UnknownArchive)) return error;
  return terminal(
    'UnknownFormat',
    `The dump of database ${database} is not one that this version of Tidemark can read: ${error.message}. Nothing was changed in the target. Use the version of Tidemark that made it or a later one, or restore by hand with pg_restore (docs/restore-by-hand.md).`,
    error,
  );
}
