import type { Chunk } from '../../domain/manifest.ts';
import { compressedSuffix, compressor } from '../../stream/compress.ts';
import type { StreamCompression } from '../backup/dump.ts';
import { storeStream } from '../backup/store-stream.ts';
import type { Target } from '../backup/targets.ts';
import { endOfTar } from './cut-tar.ts';
import { createFeed, type Feed } from './feed.ts';

/** Stores parts of tars as objects: while one is written, those before it may still be packed and uploaded. */
export interface ChunkStore {
  /** Goes into the chunk that is open, or opens one. A promise where the writer is to wait. */
  write(tablespace: string | undefined, bytes: Buffer): Promise<void> | undefined;
  /** The open chunk is whole. */
  close(): void;
  /** Closes, waits for all, and gives them in order. */
  finish(): Promise<readonly Chunk[]>;
  /** Waits for what is under way, however it ends. */
  settled(): Promise<void>;
}

export interface ChunkStoreOptions {
  readonly targets: readonly Target[];
  readonly compression: StreamCompression;
  readonly signal: AbortSignal;
  /** Told of the first chunk that cannot be stored. */
  readonly fail: (error: unknown) => void;
}

/** Each takes a zstd and the buffers of an upload. */
const concurrency = 3;

export function createChunkStore({ targets, compression, signal, fail }: ChunkStoreOptions): ChunkStore {
  const running = new Set<Promise<void>>();
  const chunks: Chunk[] = [];
  let open: { readonly feed: Feed; bytes: number } | undefined;
  let number = 0;

  const begin = (tablespace: string | undefined) => {
    number += 1;
    const chunk = { feed: createFeed(signal), bytes: 0 };
    const path = `base/${String(number).padStart(4, '0')}.tar${compressedSuffix(compression)}`;
    const storing = storeStream({
      targets,
      path,
      stages: [compressor(compression)],
      input: chunk.feed.stream,
      signal,
    }).then((object) => {
      chunks.push({ ...object, ...(tablespace === undefined ? {} : { tablespace }), bytes: chunk.bytes });
    }, fail);
    const tracked = storing.finally(() => running.delete(tracked));
    running.add(tracked);
    return chunk;
  };
  const append = (tablespace: string | undefined, bytes: Buffer) => {
    open ??= begin(tablespace);
    open.bytes += bytes.length;
    return open.feed.write(bytes);
  };
  const close = () => {
    if (open === undefined) return;
    open.bytes += endOfTar.length;
    open.feed.write(endOfTar);
    open.feed.end();
    open = undefined;
  };
  const makeRoom = async (tablespace: string | undefined, bytes: Buffer) => {
    while (running.size >= concurrency) await Promise.race(running);
    signal.throwIfAborted();
    await append(tablespace, bytes);
  };
  const settled = async () => {
    await Promise.all(running);
  };
  return {
    write: (tablespace, bytes) =>
      open === undefined && running.size >= concurrency ? makeRoom(tablespace, bytes) : append(tablespace, bytes),
    close,
    async finish() {
      close();
      await settled();
      signal.throwIfAborted();
      return chunks.toSorted((one, other) => (one.path < other.path ? -1 : 1));
    },
    settled,
  };
}
