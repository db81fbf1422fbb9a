import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** What a thread unpacks at once: much of it saves turns of the main thread, and each open stream holds a few of them. */
const pieceSize = 1024 ** 2;

/** Pieces that wait are never joined, so that who has passed one may free the memory of those before it (free-in-order.ts). */
const options = { chunkSize: pieceSize, readableObjectMode: true, readableHighWaterMark: 2 };

const unpackers = { zstd: createZstdDecompress, gzip: createGunzip };

/**
 * Unpacks a stream in this process, into memory that lies in the order of its pieces. Rejects with the source's error, the signal's reason or an error of zlib, which
 * TrailingBytes is too.
 */
export async function* unpackInside(
  algorithm: 'zstd' | 'gzip',
  source: AsyncIterable<Buffer>,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const unpack = unpackers[algorithm](options);
  let late: Error | undefined;
  // That a frame is cut short it says when everything has ended already; nobody listening, it would end the process.
  unpack.on('error', (error) => {
    late = error;
  });
  const counted = count(source);
  const packed = Readable.from(counted.stream, { objectMode: false, highWaterMark: pieceSize });
  const feeding = pipeline(packed, unpack, signal === undefined ? {} : { signal });
  feeding.catch(() => undefined);
  let left = true;
  try {
    yield* unpack;
    left = false;
  } catch (error) {
    left = false;
    throw error;
  } finally {
    // Who has read enough is told of nothing: that the rest was not unpacked is what was asked for.
    await (left ? feeding.catch(() => undefined) : feeding);
  }
  if (!unpack.closed) await once(unpack, 'close');
  if (late !== undefined) throw late;
  if (unpack.bytesWritten !== counted.bytes()) throw new TrailingBytes();
}

/** Behind the end there is something else, of which zlib says nothing. */
export class TrailingBytes extends Error {
  readonly code = 'Z_DATA_ERROR';

  constructor() {
    super('there are other bytes behind its end');
  }
}

function count(source: AsyncIterable<Buffer>): {
  readonly stream: AsyncIterable<Buffer>;
  readonly bytes: () => number;
} {
  let bytes = 0;
  async function* pass() {
    for await (const piece of source) {
      bytes += piece.length;
      yield piece;
    }
  }
  return { stream: pass(), bytes: () => bytes };
}
