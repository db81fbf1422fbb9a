import { constants, zstdDecompressSync } from 'node:zlib';
import { transient } from '../../domain/failure.ts';
import type { PackedStream, StoredObject } from '../../domain/manifest.ts';
import { tarBlock } from '../../stream/tar.ts';
import type { Target } from '../backup/targets.ts';
import { type Owner, readOwner } from './cut-tar.ts';
import { createObjectWriter } from './store-in-turn.ts';
import { createFrameWalker } from './walk-frames.ts';

/** Stores tars that the server has packed, each cut into parts wherever it may be. */
export interface StreamStore {
  begin(tablespace: string | undefined): void;
  /** Of the stream that began last. A promise where the writer is to wait. */
  write(bytes: Buffer): Promise<void> | undefined;
  /** The stream is whole: rejects where it is not. `bytes` are those of the tar. */
  end(bytes: number): void;
  /** Waits for all, and gives them in the order in which they began. */
  finish(): Promise<readonly PackedStream[]>;
  /** Numeric owner of the data directory. */
  owner(): Owner | undefined;
  /** Waits for what is under way, however it ends. */
  settled(): Promise<void>;
}

export interface StreamStoreOptions {
  readonly targets: readonly Target[];
  /** Bytes that a part holds, but for the last. */
  readonly partSize: () => number;
  readonly signal: AbortSignal;
  /** Told of the first part that cannot be stored. */
  readonly fail: (error: unknown) => void;
}

/** Enough for the first block of a stream, and so for the first header of the tar in it: no block is larger than 128 KiB. */
const beginning = 256 * 1024;

interface Stream {
  readonly tablespace: string | undefined;
  readonly frames: ReturnType<typeof createFrameWalker>;
  readonly parts: { readonly number: number; readonly object: StoredObject }[];
  readonly head: Buffer[];
  headBytes: number;
  number: number;
  /** Bytes that the open part may still take. */
  room: number;
  bytes: number;
}

export function createStreamStore({ targets, partSize, signal, fail }: StreamStoreOptions): StreamStore {
  const objects = createObjectWriter({ targets, stages: [], signal, fail });
  const streams: Stream[] = [];
  let owner: Owner | undefined;
  const current = () => {
    const stream = streams.at(-1);
    if (stream === undefined) throw new Error('bytes of no stream');
    return stream;
  };
  const append = (stream: Stream, bytes: Buffer) => {
    stream.room -= bytes.length;
    const waiting = objects.write(bytes);
    if (stream.room === 0) objects.close();
    return waiting;
  };
  const writeParts = async (stream: Stream, bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      if (!objects.isOpen()) {
        stream.number += 1;
        stream.room = partSize();
        const { number } = stream;
        await objects.open(pathOf(stream.tablespace, number), (object) => stream.parts.push({ number, object }));
      }
      const end = Math.min(bytes.length, at + stream.room);
      await append(stream, bytes.subarray(at, end));
      at = end;
    }
  };
  return {
    begin(tablespace) {
      const frames = createFrameWalker();
      streams.push({ tablespace, frames, parts: [], head: [], headBytes: 0, number: 0, room: 0, bytes: 0 });
    },
    write(bytes) {
      const stream = current();
      stream.frames.push(bytes);
      if (stream.tablespace === undefined && stream.headBytes < beginning) {
        // A copy: what it lies in is much larger.
        const head = Buffer.from(bytes.subarray(0, beginning - stream.headBytes));
        stream.head.push(head);
        stream.headBytes += head.length;
      }
      return objects.isOpen() && bytes.length <= stream.room ? append(stream, bytes) : writeParts(stream, bytes);
    },
    end(bytes) {
      const stream = current();
      objects.close();
      if (!stream.frames.isWhole()) {
        throw transient(
          'CutShort',
          'The server ended a packed base backup before its end. Look at its log for the cause.',
        );
      }
      stream.bytes = bytes;
      if (stream.tablespace === undefined) owner = ownerOf(stream.head.splice(0));
    },
    async finish() {
      await objects.settled();
      signal.throwIfAborted();
      return streams.map(({ tablespace, bytes, parts }) => ({
        ...(tablespace === undefined ? {} : { tablespace }),
        bytes,
        parts: parts.toSorted((one, other) => one.number - other.number).map(({ object }) => object),
      }));
    },
    owner: () => owner,
    settled: objects.settled,
  };
}

/** So that a shell's `base/data.tar.zst.*` names them in their order. */
function pathOf(tablespace: string | undefined, number: number): string {
  return `base/${tablespace ?? 'data'}.tar.zst.${String(number).padStart(6, '0')}`;
}

function ownerOf(head: readonly Buffer[]): Owner {
  const tar = zstdDecompressSync(Buffer.concat(head), { finishFlush: constants.ZSTD_e_flush });
  return readOwner(tar.subarray(0, tarBlock));
}
