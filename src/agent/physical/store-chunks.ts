import type { Chunk } from '../../domain/manifest.ts';
import { type Compression, compressedSuffix, compressor } from '../../stream/compress.ts';
import { endOfTar } from '../../stream/tar.ts';
import type { Target } from '../backup/targets.ts';
import { createObjectWriter } from './store-in-turn.ts';

/** Stores parts of tars that are tars themselves as objects. */
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
  readonly compression: Compression;
  readonly signal: AbortSignal;
  /** Told of the first chunk that cannot be stored. */
  readonly fail: (error: unknown) => void;
}

export function createChunkStore({ targets, compression, signal, fail }: ChunkStoreOptions): ChunkStore {
  const objects = createObjectWriter({ targets, stages: [compressor(compression)], signal, fail });
  const chunks: Chunk[] = [];
  let open = { bytes: 0 };
  let number = 0;

  const append = (bytes: Buffer) => {
    open.bytes += bytes.length;
    return objects.write(bytes);
  };
  const begin = async (tablespace: string | undefined, bytes: Buffer) => {
    number += 1;
    const chunk = { bytes: 0 };
    open = chunk;
    const path = `base/${String(number).padStart(4, '0')}.tar${compressedSuffix(compression)}`;
    await objects.open(path, (object) => {
      chunks.push({ ...object, ...(tablespace === undefined ? {} : { tablespace }), bytes: chunk.bytes });
    });
    await append(bytes);
  };
  const close = () => {
    if (!objects.isOpen()) return;
    append(endOfTar);
    objects.close();
  };
  return {
    write: (tablespace, bytes) => (objects.isOpen() ? append(bytes) : begin(tablespace, bytes)),
    close,
    async finish() {
      close();
      await objects.settled();
      signal.throwIfAborted();
      return chunks.toSorted((one, other) => (one.path < other.path ? -1 : 1));
    },
    settled: objects.settled,
  };
}
