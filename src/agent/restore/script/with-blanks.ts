import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { writeWhole } from '../../../stream/write-whole.ts';
import type { Range } from './read-script.ts';

const newline = 10;

/**
 * Opens a file for somebody who reads it from its begin, with line breaks in the place of these ranges; afterwards the file
 * is as it was. A script's ranges are single statements and commands, so that what they said is held in memory meanwhile.
 */
export async function withBlanks<Result>(
  path: string,
  ranges: readonly Range[],
  use: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const writing = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  const originals: { readonly at: number; readonly bytes: Buffer }[] = [];
  try {
    for (const { start, end } of ranges) {
      const bytes = Buffer.alloc(end - start);
      const { bytesRead } = await writing.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length) throw new Error(`${path} ends before byte ${end}`);
      originals.push({ at: start, bytes });
      await writeWhole(writing, Buffer.alloc(bytes.length, newline), start);
    }
    const reading = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await use(reading);
    } finally {
      await reading.close();
    }
  } finally {
    for (const { at, bytes } of originals) await writeWhole(writing, bytes, at);
    await writing.close();
  }
}
