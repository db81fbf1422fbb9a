import { Failure } from '../../domain/failure.ts';
import type { Store } from '../../repository/store.ts';
import { inParallel } from '../in-parallel.ts';

export interface Lock {
  /** undefined: nobody knows, or never. */
  readonly until: Date | undefined;
}

const width = 8;

/**
 * What the store says of the objects that nobody may delete yet: the lock that ends last. Asked of each, since a backup of
 * which a part can go is to stay whole.
 */
export async function lockAmong(store: Store, keys: readonly string[], signal: AbortSignal): Promise<Lock | undefined> {
  const found = await inParallel(keys, width, async (key) => (await store.head(key, { signal }))?.lock);
  return found
    .filter((lock) => lock !== undefined)
    .reduce<Lock | undefined>((one, other) => (one === undefined ? other : later(one, other)), undefined);
}

function later(one: Lock, other: Lock): Lock {
  if (one.until === undefined) return one;
  return other.until === undefined || other.until > one.until ? other : one;
}

/** As AWS, MinIO and versitygw say it. The name of a bucket is not to be taken for it. */
const words = /object lock|legal hold|WORM protected|retention (period|mode|date)/i;

/** A refusal that is about a lock, not about rights. */
export function isLockRefusal(error: unknown): boolean {
  return error instanceof Failure && !error.retryable && words.test(error.message);
}
