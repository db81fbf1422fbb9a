import { createHash, randomBytes } from 'node:crypto';
import { Failure } from '../../../src/domain/failure.ts';
import type { Store } from '../../../src/repository/store.ts';
import { verified } from '../../../src/stream/digest.ts';

/** What the store is asked for while the fault strikes. */
export const operations = ['put', 'begin', 'part', 'complete', 'download', 'list', 'delete'] as const;
export type Operation = (typeof operations)[number];

/** The request of each that the fault strikes. */
export const struck = {
  put: 'put',
  begin: 'begin',
  part: 'part',
  complete: 'complete',
  download: 'get',
  list: 'list',
  delete: 'delete-many',
} as const;

const mebibyte = 1024 ** 2;
/** Two parts, and three windows of a download. */
const large = randomBytes(16 * mebibyte + 4321);
const small = randomBytes(1234);
const digestOf = (bytes: Buffer) => ({
  size: bytes.length,
  sha256: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
});
const largeDigest = digestOf(large);
const listed = ['a', 'b/c', 'b/d', 'e'];

export interface Cell {
  readonly operation: Operation;
  /** As callers have it, by way of the fault. */
  readonly store: Store;
  /** Of the same objects, past the fault. */
  readonly direct: Store;
  readonly folder: string;
  readonly signal: AbortSignal;
}

export interface Outcome {
  /** `done`, or the reason of a failure. */
  readonly said: string;
  readonly message: string;
  /** What is not as the outcome says, empty where all is well. */
  readonly wrong: readonly string[];
}

/** What every download reads, which changes nothing: it is there once. */
export async function prepareDownloads({ direct, folder, signal }: Pick<Cell, 'direct' | 'folder' | 'signal'>) {
  await direct.upload(`${folder}/object`, chunksOf(large), { signal });
}

/** What must be there before the fault strikes. */
export async function prepare({ operation, direct, folder, signal }: Cell): Promise<void> {
  if (operation === 'list' || operation === 'delete')
    for (const name of listed) await direct.put(`${folder}/${name}`, small, { ifAbsent: true, signal });
}

/** Does it, and looks past the fault whether what it says is so. */
export async function attempt(cell: Cell): Promise<Outcome> {
  const wrong: string[] = [];
  try {
    wrong.push(...(await carryOut(cell)));
    return { said: 'done', message: '', wrong: [...wrong, ...(await lookAfter(cell, true))] };
  } catch (error) {
    if (!(error instanceof Failure)) return { said: 'no words', message: String(error), wrong: [String(error)] };
    return { said: error.reason, message: error.message, wrong: await lookAfter(cell, false) };
  }
}

async function carryOut({ operation, store, folder, signal }: Cell): Promise<readonly string[]> {
  const key = `${folder}/object`;
  switch (operation) {
    case 'put':
      await store.put(key, small, { ifAbsent: true, signal });
      return [];
    case 'begin':
    case 'part':
    case 'complete': {
      const told = await store.upload(key, chunksOf(large), { signal });
      return told.sha256 === largeDigest.sha256 ? [] : ['the upload tells another digest'];
    }
    case 'download': {
      // As every caller reads an object: by the digest that the manifest has of it.
      const got = await Array.fromAsync(verified(await store.download(key, { signal }), largeDigest, key));
      return Buffer.concat(got).equals(large) ? [] : ['other bytes were read'];
    }
    case 'list': {
      const keys = (await Array.fromAsync(store.list(`${folder}/`, { signal }))).map(({ key: each }) => each);
      const expected = listed.map((name) => `${folder}/${name}`);
      return keys.join() === expected.join() ? [] : [`listed ${keys.length} of ${expected.length}`];
    }
    case 'delete':
      await store.delete(
        listed.map((name) => `${folder}/${name}`),
        { signal },
      );
      return [];
  }
}

/** Nothing half visible, whole where it is said to be, and no upload that stays. */
async function lookAfter({ operation, direct, folder, signal }: Cell, done: boolean): Promise<readonly string[]> {
  const wrong: string[] = [];
  const keys = (await Array.fromAsync(direct.list(`${folder}/`, { signal }))).map(({ key }) => key);
  if (operation === 'delete' && done && keys.length > 0) wrong.push(`${keys.length} keys are still there`);
  if (['put', 'begin', 'part', 'complete'].includes(operation)) {
    const expected = operation === 'put' ? small : large;
    if (done !== (keys.length === 1)) wrong.push(`${keys.length} objects are there`);
    for (const key of keys) {
      const stored = Buffer.concat(await Array.fromAsync(await direct.download(key, { signal })));
      if (!stored.equals(expected)) wrong.push(`${key} holds other bytes`);
    }
    const orphans = await direct.sweepUnfinished(`${folder}/`, new Date(8.64e15), { signal });
    if (orphans > 0) wrong.push(`${orphans} uploads are left`);
  }
  return wrong;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let start = 0; start < bytes.length; start += mebibyte) yield bytes.subarray(start, start + mebibyte);
}
