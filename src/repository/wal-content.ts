import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Encryption } from '../domain/encryption.ts';
import { terminal } from '../domain/failure.ts';
import { decryptBytes, encryptBytes, isEncrypted, whyNotDecrypted } from '../stream/encrypt.ts';
import { type Identity, requireIdentityFile, wrongIdentity } from './identity.ts';
import type { CallOptions, Store } from './store.ts';

/** A WAL file as it is stored: a zstd frame, in an age file where the archive is encrypted. */
export interface StoredWal {
  readonly bytes: Buffer;
  readonly store: Store;
  readonly key: string;
}

export interface OpenWith {
  /** undefined: encrypted WAL cannot be read here. */
  readonly identity: Identity | undefined;
  /** Whom it was encrypted for, where that is known; asked for when no identity fits. */
  readonly encryption: () => Promise<Encryption | undefined>;
}

export async function packWal(
  content: Buffer,
  { level, encryption }: { readonly level: number; readonly encryption: Encryption | undefined },
  { signal }: CallOptions,
): Promise<Buffer> {
  const packed = await pack(content, level);
  return encryption === undefined ? packed : encryptBytes(packed, encryption, signal);
}

/** The file as the server wrote it. Rejects with ChecksumMismatch, IdentityMissing or WrongIdentity. */
export async function unpackWal(stored: StoredWal, open: OpenWith, { signal }: CallOptions): Promise<Buffer> {
  const packed = isEncrypted(stored.bytes) ? await decrypt(stored, open, signal) : stored.bytes;
  return unpack(packed, (cause) => damaged(stored, cause.message, cause));
}

async function decrypt(
  { bytes, store, key }: StoredWal,
  { identity = nobody, encryption }: OpenWith,
  signal: AbortSignal,
): Promise<Buffer> {
  const what = `${key} in ${store.description}`;
  const file = await requireIdentityFile(identity, what, undefined);
  try {
    return await decryptBytes(bytes, file, signal);
  } catch (error) {
    const why = whyNotDecrypted(error);
    if (why === undefined) throw error;
    if (why === 'Damaged') throw damaged({ key, store }, 'it cannot be decrypted', error);
    throw wrongIdentity(why, identity, what, await encryption().catch(() => undefined));
  }
}

const nobody: Identity = { file: undefined, described: 'no identity', repository: 'of this archive' };

function damaged({ key, store }: Pick<StoredWal, 'key' | 'store'>, why: string, cause: unknown) {
  return terminal(
    'ChecksumMismatch',
    `${key} in ${store.description} is damaged (${why}): its WAL cannot be used. Recover to a moment before it, or bring the object back from a copy of the repository.`,
    cause,
  );
}

/** Bytes that a thread hands over at once; the default of 16 KiB has it wait for the main thread a thousand times. */
const chunkSize = 1024 ** 2;

/** In threads of their own, with the frame's checksum, so that a flipped bit is found when it is read. */
function pack(content: Buffer, level: number): Promise<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  const options = { params, chunkSize };
  return new Promise((resolve, reject) => {
    zstdCompress(content, options, (error, packed) => (error === null ? resolve(packed) : reject(error)));
  });
}

/** A segment is 1 GiB at most. */
const largest = 1024 ** 3;

function unpack(packed: Buffer, failure: (error: Error) => Error): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    zstdDecompress(packed, { maxOutputLength: largest, chunkSize }, (error, content) => {
      if (error === null) resolve(content);
      else reject(failure(error));
    });
  });
}
