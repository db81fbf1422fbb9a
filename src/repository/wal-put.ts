import type { Encryption } from '../domain/encryption.ts';
import { Failure, terminal } from '../domain/failure.ts';
import type { Compression } from '../stream/compress.ts';
import type { WalContent } from './large-wal.ts';
import type { CallOptions, Store } from './store.ts';
import { getStored, type Stored, tellEncrypted } from './stored-wal.ts';
import { packWal, packWalStream } from './wal-content.ts';
import { describes, indexOf, readIndex, writeIndex } from './wal-index.ts';
import { free, isPacked } from './wal-packing.ts';

export interface WalFileToPut {
  readonly store: Store;
  readonly key: string;
  /** Of what stands beside it where it is encrypted. */
  readonly indexKey: string;
  readonly name: string;
  readonly content: WalContent;
}

export interface WalPacking {
  readonly compression: Compression;
  readonly encryption: Encryption | undefined;
}

/** A history file: stored as it is. */
export async function putPlainly(
  { content, ...file }: WalFileToPut & { readonly content: Buffer },
  options: CallOptions,
): Promise<'Stored' | 'AlreadyThere'> {
  const isSame = async (stored: Stored) => Buffer.isBuffer(stored) && stored.equals(content);
  return putBody(file, inMemory(file, content, options), isSame, options);
}

/**
 * A segment, .partial or .backup file. Encryption makes other bytes of the same content each time, so that an encrypted file is
 * compared by its index, which is written before it: whoever finds no file, and then an index of the same content or none,
 * knows that a file which comes in between is of one who found the same.
 */
export async function putPacked(
  file: WalFileToPut,
  { compression, encryption }: WalPacking,
  options: CallOptions,
): Promise<'Stored' | 'AlreadyThere'> {
  const { store, key, indexKey, name, content } = file;
  const isSame = (stored: Stored) => holdsSame(file, stored, options);
  if (encryption !== undefined) {
    const there = await store.head(key, options);
    if (there !== undefined && there.size > 0) {
      if (await isSame(await getStored(store, key, options))) return 'AlreadyThere';
      throw conflict(key, store);
    }
    const written = await writeIndex(store, indexKey, await indexOf(name, content, encryption), options);
    if (written === 'AlreadyThere' && !(await isDescribed(file, options))) throw conflict(indexKey, store);
  }
  if (!Buffer.isBuffer(content)) {
    const body = () => packWalStream(content, { compression, encryption }, options);
    return putBody(file, asStream(file, body, options), isSame, options);
  }
  const packed = await packWal(content, { compression, encryption }, options);
  const result = await putBody(file, inMemory(file, packed, options), isSame, options);
  // Not after a failure: what was given up may read it still.
  free(packed);
  return result;
}

type Place = Pick<WalFileToPut, 'store' | 'key'>;

/** How what is to be stored gets there. */
interface Body {
  /** Fails with ObjectExists where something is there. */
  readonly store: () => Promise<unknown>;
  /** In place of an object without any content. */
  readonly replaceEmpty: () => Promise<unknown>;
}

function inMemory({ store, key }: Place, body: Buffer, options: CallOptions): Body {
  const put = (ifAbsent: boolean) => store.put(key, body, { ...options, ifAbsent });
  return { store: () => put(true), replaceEmpty: () => put(false) };
}

function asStream({ store, key }: Place, body: () => AsyncIterable<Buffer>, options: CallOptions): Body {
  const upload = () => store.upload(key, body(), options);
  return {
    store: upload,
    async replaceEmpty() {
      await store.delete([key], options);
      await upload();
    },
  };
}

async function putBody(
  { store, key }: Place,
  body: Body,
  isSame: (stored: Stored) => Promise<boolean>,
  options: CallOptions,
): Promise<'Stored' | 'AlreadyThere'> {
  try {
    await body.store();
    return 'Stored';
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
  }
  const stored = await getStored(store, key, options);
  // What a writer leaves that is killed between taking the name and giving it a content.
  if (Buffer.isBuffer(stored) && stored.length === 0) await body.replaceEmpty();
  else if (!(await isSame(stored))) throw conflict(key, store);
  return 'AlreadyThere';
}

async function holdsSame(file: WalFileToPut, there: Stored, options: CallOptions): Promise<boolean> {
  const { encrypted, stored, close } = await tellEncrypted(there);
  if (encrypted === undefined) return await isPacked(stored, file.content, options.signal);
  await close();
  return await isDescribed(file, options);
}

async function isDescribed({ store, indexKey, content }: WalFileToPut, options: CallOptions): Promise<boolean> {
  const known = await readIndex(store, indexKey, options);
  return known !== undefined && (await describes(known, content));
}

function conflict(key: string, store: Store): Failure {
  return terminal(
    'WalConflict',
    `${key} in ${store.description} holds other WAL than the server wants to archive under that name, or is damaged, and stays as it is. Mostly two servers that were one write here: an old primary that came back, or a copy that was started with the settings of the original. Stop archiving on the one that is not to be protected; if it is this one that counts, give it a policy of its own. An object that is damaged (zstd -t says so, behind age -d or gpg -d where it is encrypted) is to be moved away by hand, with what stands beside it under wal/index; the server then archives it again.`,
  );
}
