import { sameEncryption } from '../domain/encryption.ts';
import { Failure } from '../domain/failure.ts';
import { historyName, parseWalFileName } from '../domain/wal/file-name.ts';
import { inOnePiece } from '../stream/in-one-piece.ts';
import { largestInMemory, type WalContent } from './large-wal.ts';
import type { CallOptions } from './store.ts';
import { getStored, tellEncrypted } from './stored-wal.ts';
import type { WalArchive } from './wal-archive.ts';
import { readIndex, writeIndex } from './wal-index.ts';

export type CopiedWal = 'Copied' | 'AlreadyThere' | 'Absent';

/**
 * Copies one file of WAL. What is encrypted for the same recipients goes as it is stored, and no identity is needed; all
 * else is unpacked, which checks it, and is packed and encrypted as the other archive asks for it. What is there already
 * stays: other content under the same name is a terminal WalConflict. Absent: this archive does not have it.
 */
export async function copyWalFile(
  name: string,
  from: WalArchive,
  to: WalArchive,
  options: CallOptions,
): Promise<CopiedWal> {
  const isHistory = parseWalFileName(name)?.kind === 'History';
  if (!isHistory && to.encryption !== undefined) {
    const done = await copyAsStored(name, from, to, options);
    if (done !== undefined) return done;
  }
  const content = isHistory ? await from.get(name, options) : await contentOf(name, from, options);
  if (content === undefined) return 'Absent';
  return (await to.put(name, content, options)) === 'Stored' ? 'Copied' : 'AlreadyThere';
}

/** Whole where it is small; what is large is read again as often as it is asked for. */
async function contentOf(name: string, from: WalArchive, options: CallOptions): Promise<WalContent | undefined> {
  const collect = async (pieces: AsyncIterable<Buffer>): Promise<WalContent> => {
    const parts: Buffer[] = [];
    let length = 0;
    for await (const piece of pieces) {
      parts.push(piece);
      length += piece.length;
      if (length > largestInMemory) return { read: () => from.read(name, options) };
    }
    return Buffer.concat(parts);
  };
  return from.readInto(name, collect, options);
}

/** undefined where it must be unpacked. */
async function copyAsStored(
  name: string,
  from: WalArchive,
  to: WalArchive,
  options: CallOptions,
): Promise<CopiedWal | undefined> {
  const source = from.keysOf(name);
  const target = to.keysOf(name);
  const index = await readIndex(from.store, source.indexKey, options);
  if (index === undefined || !sameEncryption({ ...index.encryption }, to.encryption)) return undefined;
  const there = await orUndefined(getStored(from.store, source.key, options));
  if (there === undefined) return 'Absent';
  const { encrypted, stored, close } = await tellEncrypted(there);
  try {
    // What lies there plainly beside an index was put by who did not encrypt: it is read, and so checked.
    if (!encrypted) return undefined;
    const present = await readIndex(to.store, target.indexKey, options);
    if (present === undefined) await writeIndex(to.store, target.indexKey, index, options);
    else if (present.sha256 !== index.sha256) return undefined;
    const body = Buffer.isBuffer(stored) ? inOnePiece(stored) : stored;
    await to.store.upload(target.key, body, options);
    return 'Copied';
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
    // Whether it is the same is told by the index, which is there; but a writer that was killed may have left nothing more.
    if ((await to.store.head(target.key, options))?.size === 0) {
      await to.store.delete([target.key], options);
      return copyAsStored(name, from, to, options);
    }
    return 'AlreadyThere';
  } finally {
    await close();
  }
}

/**
 * The names of what one archive has and the other lacks: histories first, then each timeline's files in their order. Both
 * are listed side by side, so that a million files take no memory.
 */
export async function* lackingIn(
  to: WalArchive,
  from: WalArchive,
  options: CallOptions,
): AsyncGenerator<string, void, void> {
  const known = await to.histories(options);
  for (const timeline of (await from.histories(options)).keys()) {
    if (!known.has(timeline)) yield historyName(timeline);
  }
  for (const timeline of await from.timelines(options)) {
    const there = to.list(timeline, options)[Symbol.asyncIterator]();
    let next = await there.next();
    try {
      for await (const { name } of from.list(timeline, options)) {
        while (next.done !== true && next.value.name < name) next = await there.next();
        if (next.done === true || next.value.name !== name) yield name;
      }
    } finally {
      await there.return?.();
    }
  }
}

async function orUndefined<Found>(getting: Promise<Found>): Promise<Found | undefined> {
  try {
    return await getting;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return undefined;
    throw error;
  }
}
