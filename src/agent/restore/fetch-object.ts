import { Failure, terminal } from '../../domain/failure.ts';
import type { LogicalManifest, StoredObject } from '../../domain/manifest.ts';
import { orFromAnother } from '../../repository/mirrored-store.ts';
import type { Store } from '../../repository/store.ts';
import { verified } from '../../stream/digest.ts';
import { decrypted, whyNotDecrypted } from '../../stream/encrypt.ts';
import { type FreeInOrder, freeInOrder } from '../../stream/free-in-order.ts';
import { StageFailed } from '../../stream/stage-failed.ts';
import { isOfZlib, isUnpackedInside, unpacked } from '../../stream/unpack.ts';
import { StrangeTar } from './unpack-tar.ts';

export interface BackupFolder {
  readonly store: Store;
  /** Of the backup, in the repository. */
  readonly path: string;
  readonly compression: LogicalManifest['compression'];
  /** Where the backup is encrypted: it has been shown to fit. */
  readonly identityFile?: string | undefined;
}

export interface FetchOptions {
  /** An empty private folder. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Told of the stored bytes that have come. */
  readonly onBytes: (bytes: number) => void;
}

/** Called anew for each attempt. */
export type ConsumePacked = (packed: AsyncIterable<Buffer>, signal: AbortSignal) => Promise<void>;

/** `memory` frees that of the bytes where nobody else holds it. Called anew for each attempt. */
export type Consume = (
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal,
  memory: FreeInOrder | undefined,
) => Promise<void>;

/**
 * Gives an object to who consumes it, decrypted, and packed as it was stored. When this resolves, every stored byte has been checked against the
 * manifest; a terminal CorruptedBackup says that it is not as it was stored. What is damaged in one repository is fetched from another that has it.
 */
export function fetchPacked(
  from: BackupFolder,
  object: StoredObject,
  options: Pick<FetchOptions, 'signal' | 'onBytes'>,
  consume: ConsumePacked,
): Promise<void> {
  return orFromAnother(from.store, `${from.path}/${object.path}`, () => fetchOnce(from, object, options, consume));
}

/** The same, unpacked. */
export function fetchObject(
  from: BackupFolder,
  object: StoredObject,
  options: Pick<FetchOptions, 'signal' | 'onBytes'>,
  consume: Consume,
): Promise<void> {
  const { compression } = from;
  return fetchPacked(from, object, options, (packed, signal) =>
    consume(unpacked(compression, packed, signal), signal, isUnpackedInside(compression) ? freeInOrder() : undefined),
  );
}

async function fetchOnce(
  { store, path, identityFile }: BackupFolder,
  object: StoredObject,
  { signal, onBytes }: Pick<FetchOptions, 'signal' | 'onBytes'>,
  consume: ConsumePacked,
): Promise<void> {
  const key = `${path}/${object.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const stored = verified(counted(await store.download(key, { signal }), onBytes), object, where);
    await consume(decrypted(stored, identityFile, signal), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOfObject(error, where, object);
  }
}

async function* counted(source: AsyncIterable<Buffer>, onBytes: (bytes: number) => void) {
  for await (const chunk of source) {
    onBytes(chunk.length);
    yield chunk;
  }
}

function failureOfObject(error: unknown, where: string, object: StoredObject): unknown {
  const because = reasonOf(error);
  if (because !== undefined)
    return corrupted(`${where} ${because} (${object.size} bytes and ${object.sha256} were stored)`, error);
  if (isFull(error)) {
    return terminal(
      'DiskFull',
      `The scratch space ran full while ${where} was fetched: a restore needs room for the dumps of all databases asked for, unpacked; those of format Plain, and of format Tar for a new database, as they are stored. Nothing was changed in the target. Restore fewer databases in one request, or give the node more ephemeral storage.`,
      error,
    );
  }
  return error;
}

function reasonOf(error: unknown): string | undefined {
  if (error instanceof Failure) {
    if (error.reason === 'NoSuchObject') return 'is gone';
    return error.reason === 'ChecksumMismatch'
      ? 'is not what was stored: it was damaged, changed or cut short'
      : undefined;
  }
  if (error instanceof StrangeTar) return `is no Directory dump (${error.message})`;
  if (isOfZlib(error)) return `cannot be unpacked (${error.message.slice(0, 300)})`;
  if (!(error instanceof StageFailed) || isFull(error) || error.signal !== undefined) return undefined;
  // What age says may quote what it has read.
  if (whyNotDecrypted(error) !== undefined) return 'cannot be decrypted: it is not what was encrypted for this backup';
  return `cannot be unpacked (${error.message.slice(0, 300)})`;
}

export function corrupted(what: string, cause?: unknown): Failure {
  return terminal(
    'CorruptedBackup',
    `The backup is damaged: ${what}. Nothing was changed in the target. Restore from another backup or another repository, keep this one for examination, and check the storage it lies on.`,
    cause,
  );
}

function isFull(error: unknown): boolean {
  if (error instanceof StageFailed) return /No space left on device/.test(error.stderr);
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC';
}
