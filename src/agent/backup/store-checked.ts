import { backupPath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { verified } from '../../stream/digest.ts';
import { type StreamToStore, storeStream } from './store-stream.ts';
import { alive, dropTarget, type Target } from './targets.ts';

/**
 * Stores a stream and reads it back from every repository: what the manifest will say of it, size and sha256, is said of
 * what lies there, not of what was sent. It costs one read of each object.
 */
export async function storeChecked(request: StreamToStore): Promise<StoredObject> {
  const object = await storeStream(request);
  await checkStored(request.targets, object, request.signal);
  return object;
}

/** Reads an object back from every repository; one where it is not what was sent is dropped, and the last one rejects. */
export async function checkStored(
  targets: readonly Target[],
  object: StoredObject,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    alive(targets).map((target) =>
      readBack(target, target.copy.objectOf(object) ?? object, signal).catch((error: unknown) =>
        dropTarget(targets, target, error, signal),
      ),
    ),
  );
}

async function readBack({ store, location }: Target, object: StoredObject, signal: AbortSignal): Promise<void> {
  const path = `${backupPath(location)}/${object.path}`;
  const stored = verified(
    await store.download(path, { signal, sparing: true, lent: true }),
    object,
    `${path}, as ${store.description} has it,`,
  );
  for await (const _ of stored) signal.throwIfAborted();
}
