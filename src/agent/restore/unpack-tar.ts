import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';

/** A tar sequence that is not one of a Directory dump's plain files. */
export class StrangeTar extends Error {
  override readonly name = 'StrangeTar';
}

/** toc.dat, 3599.dat, blob_16726.dat, blobs.toc: pg_dump makes no other names, and no folders. */
const plainName = /^[A-Za-z0-9_]+(\.[a-z]+)*$/;

/**
 * Unpacks a tar sequence into a folder, and reads it to its very end, also what follows the archive's end (tar itself
 * stops there, and the check of the whole stream with it). Nothing outside the folder can be written, and no file twice.
 */
export async function unpackTar(bytes: AsyncIterable<Buffer>, folder: string, signal: AbortSignal): Promise<void> {
  const archive = extract();
  const writing = (async () => {
    for await (const entry of archive) {
      const { name, type } = entry.header;
      if (type !== 'file' || !plainName.test(name)) throw new StrangeTar(`it holds ${type} ${JSON.stringify(name)}`);
      await pipeline(entry, createWriteStream(join(folder, name), { mode: 0o600, flags: 'wx' }), { signal });
    }
  })();
  const feeding = pipeline(Readable.from(bytes), archive, { signal });
  writing.catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  const [written, fed] = await Promise.allSettled([writing, feeding]);
  // What went wrong while it was fetched is the cause of everything after it.
  if (fed.status === 'rejected' && !(written.status === 'rejected' && written.reason instanceof StrangeTar))
    throw fed.reason;
  if (written.status === 'rejected') throw written.reason;
}
