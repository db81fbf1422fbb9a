import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { transient } from '../../domain/failure.ts';
import { databasePath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { compressedSuffix, compressor } from '../../stream/compress.ts';
import { type PackedFile, planChunks, tarPacker } from '../../stream/tar.ts';
import type { DumpJob } from './dump.ts';
import { checkStored } from './store-checked.ts';
import { storeStream } from './store-stream.ts';
import type { Throttle } from './throttle.ts';

/** Packs finished files into tar sequences, stores them, several at once, and removes them from scratch. */
export interface Shipper {
  /**
   * Takes finished files, those it knows already included. While a full chunk waits because enough are under way, the dump
   * is held, so that scratch does not fill faster than it empties.
   */
  ship(files: readonly PackedFile[]): Promise<void>;
  /** Stores the last file and what waits for a fuller chunk; gives every object in order. */
  finish(last: string): Promise<readonly StoredObject[]>;
  /** Waits for what is under way, however it ends. */
  settled(): Promise<void>;
  /** Of the files that have been taken. */
  names(): ReadonlySet<string>;
  /** Of the files that have left scratch. */
  bytes(): number;
}

/** Full enough to be worth an object, small enough for scratch and for parallel restores. */
const chunkSize = 64 * 1024 ** 2;
/** Each takes a zstd, and the buffers of uploads are shared between them. */
const concurrency = 2;

export function createShipper(
  job: DumpJob,
  folder: string,
  throttle: Throttle,
  fail: (error: unknown) => void,
): Shipper {
  const names = new Set<string>();
  const running = new Set<Promise<void>>();
  const objects: StoredObject[] = [];
  let waiting: PackedFile[] = [];
  let number = 0;
  let shipped = 0;

  const start = async (files: readonly PackedFile[]) => {
    while (running.size >= concurrency) {
      throttle.hold();
      await Promise.race(running);
    }
    throttle.release();
    job.signal.throwIfAborted();
    number += 1;
    const path = `${databasePath(job.database.name)}/chunk-${String(number).padStart(5, '0')}.tar`;
    const task = storeChunk(job, folder, path, files).then(
      (object) => {
        objects.push(object);
        shipped += files.reduce((sum, { size }) => sum + size, 0);
      },
      (error: unknown) => fail(error),
    );
    const tracked = task.finally(() => running.delete(tracked));
    running.add(tracked);
  };
  const startAll = async (files: readonly PackedFile[]) => {
    for (const chunk of planChunks(files, chunkSize)) await start(chunk.files);
  };
  const settled = async () => {
    await Promise.all(running);
  };
  return {
    async ship(files) {
      for (const file of files) {
        if (names.has(file.path)) continue;
        names.add(file.path);
        waiting.push(file);
      }
      if (waiting.reduce((sum, { size }) => sum + size, 0) < chunkSize) return;
      const full = waiting;
      waiting = [];
      await startAll(full);
    },
    async finish(last) {
      const { size } = await stat(join(folder, last));
      names.add(last);
      await startAll([...waiting, { path: last, size }]);
      await settled();
      job.signal.throwIfAborted();
      // Afterwards and in turn: beside uploads it would take more memory than an agent has.
      for (const object of objects) await checkStored(job.targets, object, job.signal);
      return objects.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    },
    settled,
    names: () => names,
    bytes: () => shipped,
  };
}

async function storeChunk(
  { targets, compression, signal }: DumpJob,
  folder: string,
  path: string,
  files: readonly PackedFile[],
): Promise<StoredObject> {
  const object = await storeStream({
    targets,
    path: `${path}${compressedSuffix(compression)}`,
    stages: [tarPacker(folder, files), compressor(compression)],
    signal,
    concurrent: concurrency,
  });
  for (const { path: name, size } of files) {
    const file = join(folder, name);
    if ((await stat(file)).size !== size) {
      throw transient(
        'FileChanged',
        `The staged file ${name} changed after it was taken for finished. Start the backup again; if it stays so, use format: Custom.`,
      );
    }
    await rm(file);
  }
  return object;
}
