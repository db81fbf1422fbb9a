import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { terminal } from '../domain/failure.ts';
import type { DownloadOptions } from './store.ts';
import { requireInside } from './volume-path.ts';

const chunkSize = 1024 ** 2;
const smallObject = 64 * 1024 ** 2;

/** Rejects before the first byte where the file does not exist. */
export async function readFile(
  root: string,
  file: string,
  { signal, lent = false }: DownloadOptions,
): Promise<AsyncIterable<Buffer>> {
  const handle = await openFile(root, file);
  return readChunks(handle, signal, lent);
}

export async function readSmallFile(root: string, file: string): Promise<Buffer> {
  const handle = await openFile(root, file);
  try {
    const { size } = await handle.stat();
    if (size > smallObject) {
      throw terminal(
        'ObjectTooLarge',
        `${file} has ${size} bytes, where a small file was expected. Look who wrote it.`,
      );
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function openFile(root: string, file: string): Promise<FileHandle> {
  await requireInside(root, file);
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
}

/** One buffer where it is lent: garbage of a whole object has V8 look through its heap for every 64 MiB. */
async function* readChunks(handle: FileHandle, signal: AbortSignal, lent: boolean): AsyncGenerator<Buffer, void, void> {
  let buffer = Buffer.allocUnsafeSlow(chunkSize);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, chunkSize, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      if (!lent) buffer = Buffer.allocUnsafeSlow(chunkSize);
    }
  } finally {
    await handle.close();
  }
}
