import { createHash, randomUUID } from 'node:crypto';
import { Failure } from '../domain/failure.ts';
import type { Store } from './store.ts';

export interface Capabilities {
  readonly conditionalPut?: boolean;
  /** What is stored there is locked at once, by a rule of the bucket's or the container's own. */
  readonly objectLock?: boolean;
}

export const probeFolder = '.tidemark-probe';

/** More than one part of a multipart upload (part-size.ts). */
const largeSize = 16 * 1024 ** 2 + 12_345;
const cleanUpTime = 30_000;
const anotherProbes = 60 * 60_000;

/**
 * Tries every call that backups and restores make, in a folder of its own which is removed again, and rejects with the
 * first failure, the call named. A read-only repository is only listed and read.
 */
export async function probeStore(
  store: Store,
  signal: AbortSignal,
  accessMode: 'ReadWrite' | 'ReadOnly' = 'ReadWrite',
): Promise<{ readonly capabilities: Capabilities }> {
  if (accessMode === 'ReadOnly') {
    await probeReading(store, signal);
    return { capabilities: {} };
  }
  const folder = `${probeFolder}/${randomUUID()}/`;
  try {
    await removeEarlier(store, signal);
    return { capabilities: await probeWriting(store, folder, signal) };
  } catch (error) {
    // In a time of its own. The failure of the probe is the one to be told.
    await removeAll(store, folder, AbortSignal.timeout(cleanUpTime)).catch(() => undefined);
    throw error;
  }
}

async function probeReading(store: Store, signal: AbortSignal): Promise<void> {
  const first = await step('list', async () => {
    for await (const { key, size } of store.list('', { signal })) return { key, size };
    return undefined;
  });
  if (first === undefined) return;
  await step('get', async () => {
    for await (const _ of await store.download(first.key, { signal })) return;
  });
}

async function probeWriting(store: Store, folder: string, signal: AbortSignal): Promise<Capabilities> {
  const small = `${folder}small`;
  const large = `${folder}large`;
  const body = Buffer.from(`probe ${folder}`);
  await step('put', () => store.put(small, body, { ifAbsent: true, signal }));
  await step('get', async () => compare(await store.get(small, { signal }), body));
  const uploaded = await step('multipart upload', () => store.upload(large, generate(largeSize), { signal }));
  await step('ranged get', async () => {
    const hash = createHash('sha256');
    for await (const chunk of await store.download(large, { signal })) hash.update(chunk);
    compare(`sha256:${hash.digest('hex')}`, uploaded.sha256);
  });
  await step('list', async () => {
    const keys: string[] = [];
    for await (const { key } of store.list(folder, { signal })) keys.push(key);
    compare(keys.join(' '), [large, small].join(' '));
  });
  const conditionalPut = await step('conditional put', () => tryConditionalPut(store, small, signal));
  const objectLock = (await step('look up', () => store.head(small, { signal })))?.lock !== undefined;
  await step('delete', () => tryDelete(store, folder, { key: small, objectLock, signal }));
  return { conditionalPut, objectLock };
}

/** What the store locks stays until its time has come, and is no fault: a later probe takes it away. */
async function tryDelete(
  store: Store,
  folder: string,
  { key, objectLock, signal }: { readonly key: string; readonly objectLock: boolean; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await removeAll(store, folder, signal);
  } catch (error) {
    if (objectLock && error instanceof Failure && error.reason === 'AccessDenied') return;
    throw error;
  }
  compare(await store.head(key, { signal }), undefined);
}

/** What earlier probes could not remove. What goes wrong here is told by the calls that come after. */
async function removeEarlier(store: Store, signal: AbortSignal): Promise<void> {
  try {
    const before = Date.now() - anotherProbes;
    for await (const { key, lastModified } of store.list(`${probeFolder}/`, { signal }))
      if (lastModified.getTime() < before) await store.delete([key], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
  }
}

async function tryConditionalPut(store: Store, key: string, signal: AbortSignal): Promise<boolean> {
  if (store.refusesSecondPut !== undefined) return store.refusesSecondPut(key, { signal });
  try {
    await store.put(key, Buffer.from('second'), { ifAbsent: true, signal });
    return false;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'ObjectExists') return true;
    throw error;
  }
}

async function removeAll(store: Store, folder: string, signal: AbortSignal): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list(folder, { signal })) keys.push(key);
  await store.delete(keys, { signal });
  await store.sweepUnfinished(folder, new Date(8.64e15), { signal });
}

async function step<T>(name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { reason, message, retryable } = error;
    throw new Failure(reason, `The call “${name}” failed. ${message}`, { retryable, cause: error });
  }
}

function compare(found: unknown, expected: unknown): void {
  const same = Buffer.isBuffer(found) && Buffer.isBuffer(expected) ? found.equals(expected) : found === expected;
  if (same) return;
  throw new Failure(
    'StoreUnsound',
    `The store gives back something else than was stored. Check it; do not use it for backups.`,
    { retryable: false },
  );
}

async function* generate(size: number): AsyncGenerator<Buffer, void, void> {
  const block = createHash('sha512').update('probe').digest();
  const chunk = Buffer.alloc(64 * 1024, block);
  for (let left = size; left > 0; left -= chunk.length) yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}
