import { Failure } from '../domain/failure.ts';
import type { Manifest, StoredObject } from '../domain/manifest.ts';
import { objectsOf } from '../domain/manifest-objects.ts';
import { verified } from '../stream/digest.ts';
import type { Store } from './store.ts';

/** Reads every object of a backup; gives those that are missing or not what the manifest says. */
export async function verifyObjects(
  store: Store,
  path: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<readonly StoredObject[]> {
  const damaged: StoredObject[] = [];
  for (const object of objectsOf(manifest)) {
    if (!(await isWhole(store, path, object, signal))) damaged.push(object);
  }
  return damaged;
}

/** Rejects where that cannot be told. */
export async function isWhole(store: Store, path: string, object: StoredObject, signal: AbortSignal): Promise<boolean> {
  const key = `${path}/${object.path}`;
  try {
    const bytes = await store.download(key, { signal, sparing: true, lent: true });
    for await (const _ of verified(bytes, object, `${key} in ${store.description}`)) signal.throwIfAborted();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Failure && ['NoSuchObject', 'ChecksumMismatch'].includes(error.reason)) return false;
    throw error;
  }
}
