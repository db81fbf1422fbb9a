import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../domain/failure.ts';
import { type Archive, ArchiveCutShort, parseArchive, UnknownArchive } from './archive.ts';
import { corrupted } from './fetch-archive.ts';

const firstRead = 1024 ** 2;

/** The table of contents of an unpacked dump; `database` is for messages. */
export async function readArchive(
  { path, format }: { readonly path: string; readonly format: Archive['format'] },
  database: string,
): Promise<Archive> {
  const file = await open(format === 'Custom' ? path : join(path, 'toc.dat'));
  try {
    const { size } = await file.stat();
    for (let length = Math.min(firstRead, size); ; length = Math.min(length * 4, size)) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
      try {
        return parseArchive(buffer.subarray(0, bytesRead));
      } catch (error) {
        if (error instanceof ArchiveCutShort && length < size) continue;
        throw unreadable(error, database);
      }
    }
  } finally {
    await file.close();
  }
}

function unreadable(error: unknown, database: string): unknown {
  if (error instanceof ArchiveCutShort) return corrupted(`the dump of database ${database} ends too early`, error);
  if (!(error instanceof UnknownArchive)) return error;
  return terminal(
    'UnknownFormat',
    `The dump of database ${database} is not one that this version of Tidemark can read: ${error.message}. Nothing was changed in the target. Use the version of Tidemark that made it or a later one, or restore by hand with pg_restore (docs/repository-format.md).`,
    error,
  );
}
