import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { announced, type FreeInOrder } from '../../stream/free-in-order.ts';
import { writeWhole } from '../../stream/write-whole.ts';

/** A tar sequence that is not one of a Directory dump's plain files. */
export class StrangeTar extends Error {
  override readonly name = 'StrangeTar';
}

/** toc.dat, 3599.dat, blob_16726.dat, blobs.toc: pg_dump makes no other names, and no folders. */
const plainName = /^[A-Za-z0-9_]+(\.[a-z]+)*$/;

/**
 * Unpacks a tar sequence into a folder, and reads it to its very end, also what follows the archive's end (tar itself
 * stops there, and the check of the whole stream with it). Nothing outside the folder can be written, and no file twice.
 * Where it rejects, none of its files stays, so that the same can be unpacked anew. `memory` of bytes that nobody else holds.
 */
export async function unpackTar(
  bytes: AsyncIterable<Buffer>,
  folder: string,
  signal: AbortSignal,
  memory?: FreeInOrder,
): Promise<void> {
  const archive = extract();
  const made: string[] = [];
  const writing = (async () => {
    for await (const entry of archive) {
      const { name, type } = entry.header;
      if (type !== 'file' || !plainName.test(name)) throw new StrangeTar(`it holds ${type} ${JSON.stringify(name)}`);
      const path = join(folder, name);
      const file = await open(path, 'wx', 0o600);
      made.push(path);
      try {
        for await (const one of entry) {
          const piece = one as Buffer;
          await writeWhole(file, piece);
          memory?.arrived(piece);
        }
      } finally {
        await file.close();
      }
    }
  })();
  const feeding = pipeline(Readable.from(announced(bytes, memory)), archive, { signal });
  writing.catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  const [written, fed] = await Promise.allSettled([writing, feeding]);
  if (written.status === 'fulfilled' && fed.status === 'fulfilled') return;
  for (const path of made) await rm(path, { force: true });
  // What went wrong while it was fetched is the cause of everything after it.
  if (fed.status === 'rejected' && !(written.status === 'rejected' && written.reason instanceof StrangeTar))
    throw fed.reason;
  if (written.status === 'rejected') throw written.reason;
}
