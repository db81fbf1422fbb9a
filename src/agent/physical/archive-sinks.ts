import type { Chunk, PackedStream } from '../../domain/manifest.ts';
import type { Compression } from '../../stream/compress.ts';
import type { Target } from '../backup/targets.ts';
import { chunkTarget } from './chunk-target.ts';
import { createTarCutter, type Owner, type TarCutter } from './cut-tar.ts';
import { partTarget } from './part-target.ts';
import { createChunkStore } from './store-chunks.ts';
import { createStreamStore } from './store-streams.ts';

/** Takes the tars of a base backup, one after the other. */
export interface ArchiveSink {
  /** `total`: bytes of all tars, as the server estimates them. */
  begin(oid: string | undefined, total: number): void;
  /** A promise where the writer is to wait. */
  write(data: Buffer): Promise<void> | undefined;
  /** The server's own count of all that it has read. */
  progress(bytes: number): void;
  /** The tar is whole: throws where it is not. */
  end(): void;
  /** Bytes of all tars so far, before they are packed. */
  copied(): number;
  /** Numeric owner of the data directory. */
  owner(): Owner | undefined;
  finish(): Promise<StoredArchives>;
  /** Waits for what is under way, however it ends. */
  settled(): Promise<void>;
}

export interface StoredArchives {
  readonly chunks: readonly Chunk[];
  readonly streams?: readonly PackedStream[];
}

export interface ArchiveSinkOptions {
  readonly targets: readonly Target[];
  readonly compression: Compression;
  readonly signal: AbortSignal;
  /** Told of the first object that cannot be stored. */
  readonly fail: (error: unknown) => void;
}

/** Plain tars, which are cut between their members and packed here. */
export function createChunkSink(options: ArchiveSinkOptions): ArchiveSink {
  const chunks = createChunkStore(options);
  let archive: { readonly oid: string | undefined; readonly cutter: TarCutter } | undefined;
  let owner: Owner | undefined;
  let copied = 0;
  const writeAll = async (oid: string | undefined, pieces: ReturnType<TarCutter['push']>) => {
    for (const piece of pieces) {
      if (piece === 'Cut') chunks.close();
      else await chunks.write(oid, piece);
    }
  };
  return {
    begin(oid, total) {
      archive = { oid, cutter: createTarCutter(chunkTarget(total)) };
    },
    write(data) {
      if (archive === undefined) throw new Error('bytes of no archive');
      copied += data.length;
      const pieces = archive.cutter.push(data);
      const [piece] = pieces;
      // Nearly always there is one, and nothing to wait for.
      if (pieces.length === 1 && piece !== undefined && piece !== 'Cut') return chunks.write(archive.oid, piece);
      return writeAll(archive.oid, pieces);
    },
    progress: () => undefined,
    end() {
      archive?.cutter.end();
      if (archive?.oid === undefined) owner = archive?.cutter.owner() ?? owner;
      archive = undefined;
      chunks.close();
    },
    copied: () => copied,
    owner: () => owner,
    finish: async () => ({ chunks: await chunks.finish() }),
    settled: chunks.settled,
  };
}

/** Tars that the server has packed, of which it says itself how long they were. */
export function createStreamSink(options: Omit<ArchiveSinkOptions, 'compression'>): ArchiveSink {
  let partSize = 0;
  const streams = createStreamStore({ ...options, partSize: () => partSize });
  let copied = 0;
  let before = 0;
  let isOpen = false;
  return {
    begin(oid, total) {
      partSize = partTarget(total);
      isOpen = true;
      streams.begin(oid);
    },
    write: (data) => streams.write(data),
    progress(bytes) {
      copied = bytes;
    },
    end() {
      if (!isOpen) return;
      isOpen = false;
      streams.end(copied - before);
      before = copied;
    },
    copied: () => copied,
    owner: () => streams.owner(),
    finish: async () => ({ chunks: [], streams: await streams.finish() }),
    settled: streams.settled,
  };
}
