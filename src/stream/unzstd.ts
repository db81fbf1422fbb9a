import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

/** What a thread unpacks at once: much of it saves turns of the main thread, and each open stream holds a few of them. */
const pieceSize = 1024 ** 2;

/** Pieces that wait are never joined, so that who has passed one may free the memory of those before it (free-in-order.ts). */
const options = { chunkSize: pieceSize, readableObjectMode: true, readableHighWaterMark: 2 };

/**
 * Unpacks a zstd frame in this process, into memory that lies in the order of its pieces. Rejects with the source's error,
 * the signal's reason or an error of zlib.
 */
export async function* unzstd(source: AsyncIterable<Buffer>, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const unpack = createZstdDecompress(options);
  let late: Error | undefined;
  // That a frame is cut short it says when everything has ended already; nobody listening, it would end the process.
  unpack.on('error', (error) => {
    late = error;
  });
  const packed = Readable.from(source, { objectMode: false, highWaterMark: pieceSize });
  const feeding = pipeline(packed, unpack, signal === undefined ? {} : { signal });
  feeding.catch(() => undefined);
  try {
    yield* unpack;
  } finally {
    await feeding;
  }
  if (!unpack.closed) await once(unpack, 'close');
  if (late !== undefined) throw late;
}
