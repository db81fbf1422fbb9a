import { z } from 'zod';
import { Failure } from '../../domain/failure.ts';
import { type StoredObject, storedObject } from '../../domain/manifest.ts';
import type { Store } from '../../repository/store.ts';

/** What an attempt has copied, by the object's path where it was read: encrypted anew, it cannot be told by its digest. */
export interface Journal {
  find(path: string): StoredObject | undefined;
  add(path: string, stored: StoredObject): Promise<void>;
  flush(): Promise<void>;
  remove(): Promise<void>;
}

/** Beside the objects until the copy is complete. */
export const journalName = 'copied.json';

const content = z.object({ format: z.literal(1), objects: z.record(z.string(), storedObject) });

/** Milliseconds between two writes: what is lost by less is sent again. */
const every = 2000;
const lastWord = 10_000;

export async function openJournal(store: Store, folder: string, signal: AbortSignal): Promise<Journal> {
  const key = `${folder}/${journalName}`;
  const known = new Map<string, StoredObject>(await readEntries(store, key, signal));
  let written = performance.now();
  const flush = async () => {
    written = performance.now();
    const body = Buffer.from(`${JSON.stringify({ format: 1, objects: Object.fromEntries(known) })}\n`);
    // Whoever is told to stop has to write it all the same: it is what the next attempt goes on from.
    const within = signal.aborted ? AbortSignal.timeout(lastWord) : signal;
    await store.put(key, body, { ifAbsent: false, contentType: 'application/json', signal: within });
  };
  return {
    find: (path) => known.get(path),
    async add(path, stored) {
      known.set(path, stored);
      if (performance.now() - written >= every) await flush();
    },
    flush,
    remove: () => store.delete([key], { signal }),
  };
}

async function readEntries(store: Store, key: string, signal: AbortSignal) {
  try {
    return Object.entries(content.parse(JSON.parse((await store.get(key, { signal })).toString('utf8'))).objects);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Failure && error.reason !== 'NoSuchObject') throw error;
    return [];
  }
}
