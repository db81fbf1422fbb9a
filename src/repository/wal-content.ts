import type { Encryption, Scheme } from '../domain/encryption.ts';
import type { Compression } from '../stream/compress.ts';
import {
  decryptBytes,
  decryptor,
  encryptBytes,
  encryptor,
  failureOfEncrypting,
  whyNotDecrypted,
} from '../stream/encrypt.ts';
import { runPipeline } from '../stream/pipeline.ts';
import { type Identity, requireIdentityFile, wrongIdentity } from './identity.ts';
import type { LargeWal } from './large-wal.ts';
import type { CallOptions, Store } from './store.ts';
import { type Stored, tellEncrypted } from './stored-wal.ts';
import { damagedWal, pack, packer, unpack, unpackStream } from './wal-packing.ts';

/** A WAL file as it is stored: packed with whatever its first bytes tell, in an age file or an OpenPGP message where the archive is encrypted. */
export interface StoredWal {
  readonly bytes: Stored;
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
  { compression, encryption }: { readonly compression: Compression; readonly encryption: Encryption | undefined },
  { signal }: CallOptions,
): Promise<Buffer> {
  const packed = await pack(content, compression, signal);
  return encryption === undefined ? packed : encryptBytes(packed, encryption, signal);
}

/** As packWal(), of what is too large for the memory; it ends with what packWal() rejects with. */
export async function* packWalStream(
  content: LargeWal,
  { compression, encryption }: { readonly compression: Compression; readonly encryption: Encryption | undefined },
  { signal }: CallOptions,
): AsyncGenerator<Buffer, void, void> {
  const stages = [packer(compression), ...(encryption === undefined ? [] : [encryptor(encryption)])];
  try {
    yield* runPipeline(stages, { signal, input: content.read() }).output;
  } catch (error) {
    throw failureOfEncrypting(error) ?? error;
  }
}

/** The file as the server wrote it, as it comes; ends with what unpackWal() rejects with. */
export async function* readWal(
  file: StoredWal,
  open: OpenWith,
  { signal }: CallOptions,
): AsyncGenerator<Buffer, void, void> {
  const { encrypted, stored, close } = await tellEncrypted(file.bytes);
  try {
    const packed =
      encrypted === undefined ? stored : await decrypt({ ...file, bytes: stored }, encrypted, open, signal);
    yield* unpackStream(packed, `${file.key} in ${file.store.description}`, signal);
  } finally {
    await close();
  }
}

/** The file as the server wrote it. Rejects with ChecksumMismatch, IdentityMissing or WrongIdentity. */
export async function unpackWal(file: StoredWal, open: OpenWith, { signal }: CallOptions): Promise<Buffer> {
  const { encrypted, stored } = await tellEncrypted(file.bytes);
  const packed = encrypted === undefined ? stored : await decrypt({ ...file, bytes: stored }, encrypted, open, signal);
  return await unpack(packed, `${file.key} in ${file.store.description}`, signal);
}

async function decrypt(
  wal: StoredWal,
  scheme: Scheme,
  { identity = nobody, encryption }: OpenWith,
  signal: AbortSignal,
) {
  const { bytes, store, key } = wal;
  const what = `${key} in ${store.description}`;
  const file = await requireIdentityFile(identity, what, { scheme });
  const explain = async (error: unknown) => {
    const why = whyNotDecrypted(error);
    if (why === undefined) return error;
    if (why === 'Damaged') return damagedWal(what, 'it cannot be decrypted', error);
    return wrongIdentity(why, identity, what, (await encryption().catch(() => undefined)) ?? { scheme });
  };
  if (!Buffer.isBuffer(bytes))
    return explained(runPipeline([decryptor(file)], { signal, input: bytes }).output, explain);
  try {
    return await decryptBytes(bytes, file, signal);
  } catch (error) {
    throw await explain(error);
  }
}

async function* explained(
  pieces: AsyncIterable<Buffer>,
  explain: (error: unknown) => Promise<unknown>,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* pieces;
  } catch (error) {
    throw await explain(error);
  }
}

const nobody: Identity = {
  scheme: undefined,
  file: undefined,
  described: 'no identity',
  repository: 'of this archive',
};
