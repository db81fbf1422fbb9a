import { type WalLocation, walIndexPath } from '../../domain/layout.ts';
import type { DueWal } from '../../domain/retention/plan.ts';
import type { Store } from '../../repository/store.ts';
import { listWalBefore, type StoredWal } from './list-wal.ts';
import { isLockRefusal, type Lock, lockAmong } from './locked.ts';

export interface Pruned {
  readonly segments: number;
  /** As stored. */
  readonly bytes: number;
  /** Of the first that could not go. */
  readonly lock: Lock | undefined;
}

const batchSize = 1000;

/** Deletes the WAL of a timeline before a segment, the oldest first: what is left has no hole. History files stay. */
export async function pruneWal(store: Store, location: WalLocation, due: DueWal, signal: AbortSignal): Promise<Pruned> {
  let segments = 0;
  let bytes = 0;
  let batch: StoredWal[] = [];
  const flush = async (): Promise<Lock | undefined> => {
    const last = batch.at(-1);
    if (last === undefined) return undefined;
    // Locks of one policy end in the order of writing, so the last speaks for all.
    const lock = await lockAmong(store, [last.key], signal);
    if (lock !== undefined) return lock;
    await store.delete(
      batch.map(({ key }) => key),
      { signal },
    );
    // After them: a file without its index could be read, but not be archived again.
    await store.delete(
      batch.map(({ name }) => walIndexPath(location, due.timeline, name)),
      { signal },
    );
    segments += batch.filter(({ isSegment }) => isSegment).length;
    bytes += batch.reduce((sum, { size }) => sum + size, 0);
    batch = [];
    return undefined;
  };
  try {
    for await (const file of listWalBefore(store, location, due, signal)) {
      batch.push(file);
      const lock = batch.length < batchSize ? undefined : await flush();
      if (lock !== undefined) return { segments, bytes, lock };
    }
    const lock = await flush();
    return { segments, bytes, lock };
  } catch (error) {
    signal.throwIfAborted();
    if (!isLockRefusal(error)) throw error;
    return { segments, bytes, lock: { until: undefined } };
  }
}
