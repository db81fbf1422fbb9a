import type { StoredObject } from '../../domain/manifest.ts';
import type { Stage } from '../../stream/pipeline.ts';
import { storeStream } from '../backup/store-stream.ts';
import type { Target } from '../backup/targets.ts';
import { createFeed, type Feed } from './feed.ts';

/** Stores objects one after the other: while one is written, those before it may still be packed and uploaded. */
export interface ObjectWriter {
  /** Begins an object, as soon as there is room; rejects when the signal aborts. `onStored` may be called late. */
  open(path: string, onStored: (object: StoredObject) => void): Promise<void>;
  isOpen(): boolean;
  /** A promise where the writer is to wait. */
  write(bytes: Buffer): Promise<void> | undefined;
  /** The open object is whole. */
  close(): void;
  /** Waits for what is under way, however it ends. */
  settled(): Promise<void>;
}

export interface ObjectWriterOptions {
  readonly targets: readonly Target[];
  /** What every object passes on its way; without any, they are stored as they are. */
  readonly stages: readonly (Stage | undefined)[];
  readonly signal: AbortSignal;
  /** Told of the first object that cannot be stored. */
  readonly fail: (error: unknown) => void;
}

/** Each takes a process, where there are stages, and the buffers of an upload. */
const concurrency = 3;

export function createObjectWriter({ targets, stages, signal, fail }: ObjectWriterOptions): ObjectWriter {
  const running = new Set<Promise<void>>();
  let feed: Feed | undefined;
  return {
    async open(path, onStored) {
      while (running.size >= concurrency) await Promise.race(running);
      signal.throwIfAborted();
      feed = createFeed(signal);
      const storing = storeStream({ targets, path, stages, input: feed.stream, signal }).then(onStored, fail);
      const tracked = storing.finally(() => running.delete(tracked));
      running.add(tracked);
    },
    isOpen: () => feed !== undefined,
    write: (bytes) => feed?.write(bytes),
    close() {
      feed?.end();
      feed = undefined;
    },
    async settled() {
      await Promise.all(running);
    },
  };
}
