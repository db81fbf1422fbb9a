import { Failure } from '../../domain/failure.ts';
import type { Store } from '../../repository/store.ts';

export interface Lock {
  /** undefined: nobody knows, or never. */
  readonly until: Date | undefined;
}

/** Whether the store says that nobody may delete an object yet. */
export async function lockOf(store: Store, key: string, signal: AbortSignal): Promise<Lock | undefined> {
  return (await store.head(key, { signal }))?.lock;
}

/** A refusal that is about a lock, not about rights. */
export function isLockRefusal(error: unknown): boolean {
  return (
    error instanceof Failure &&
    (error.reason === 'ObjectLocked' ||
      (error.reason === 'AccessDenied' && /\block(ed)?\b|retention|legal hold|\bWORM\b/i.test(error.message)))
  );
}
