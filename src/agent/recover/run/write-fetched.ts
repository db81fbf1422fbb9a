import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure, terminal } from '../../../domain/failure.ts';
import { checkSegment, type Expected, segmentHeaderBytes } from '../../../domain/wal/read-segment.ts';
import type { Fetched } from './prefetch.ts';

/** Of a large segment the memory never holds more than a piece. */
export async function writeFetched(
  {
    folder,
    systemIdentifier,
    segmentSize,
  }: { readonly folder: string; readonly systemIdentifier: string; readonly segmentSize: number },
  name: string,
  pieces: AsyncIterable<Buffer>,
): Promise<Fetched> {
  const file = join(folder, 'have', `.${name}.${randomBytes(4).toString('hex')}`);
  let head: Buffer = Buffer.alloc(0);
  let length = 0;
  try {
    const look = async function* () {
      for await (const piece of pieces) {
        if (head.length < segmentHeaderBytes)
          head = Buffer.concat([head, piece.subarray(0, segmentHeaderBytes - head.length)]);
        length += piece.length;
        yield piece;
      }
    };
    await pipeline(look(), createWriteStream(file, { mode: 0o600 }));
    requireSegment(head, name, { systemIdentifier, segmentSize }, length);
    return { file };
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Checked: what the server would take for the end of the WAL must not reach it. */
export function requireSegment(
  content: Buffer,
  name: string,
  expected: Expected,
  length: number = content.length,
): void {
  try {
    checkSegment(content, name, expected, length);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const [what = ''] = error.message.split('. ');
    throw terminal(
      error.reason,
      `${what.replace(/,? whose WAL is archived here$/, '')}. Recover to a moment before it, or bring the segment back from a copy of the repository.`,
      error,
    );
  }
}
