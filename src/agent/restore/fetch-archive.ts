import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure, terminal } from '../../domain/failure.ts';
import { encodeName } from '../../domain/layout.ts';
import type { LogicalManifest, ManifestDatabase, StoredObject } from '../../domain/manifest.ts';
import { orFromAnother } from '../../repository/mirrored-store.ts';
import type { Store } from '../../repository/store.ts';
import { verified } from '../../stream/digest.ts';
import { whyNotDecrypted } from '../../stream/encrypt.ts';
import { runPipeline } from '../../stream/pipeline.ts';
import { StageFailed } from '../../stream/stage-failed.ts';
import { unpackers } from '../../stream/unpack.ts';
import { workThrough } from '../work-through.ts';
import { StrangeTar, unpackTar } from './unpack-tar.ts';

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

/** Chunks of a Directory dump at a time: each takes a zstd and a tar. */
const concurrency = 2;

/**
 * Brings a database's dump into scratch, unpacked, so that pg_restore can seek in it, and nothing is run of one that is damaged. Every stored byte has then been
 * checked against the manifest; a terminal CorruptedBackup names the object that is not as it was stored.
 */
export async function fetchArchive(
  from: BackupFolder,
  database: ManifestDatabase,
  options: FetchOptions,
): Promise<string> {
  const place = join(options.scratch, encodeName(database.name).replaceAll('%', '_'));
  if (database.format !== 'Directory') {
    const [object] = database.objects;
    if (object === undefined) throw new Error(`a ${database.format} dump without an object`);
    await unpack(from, object, options, async (bytes, signal) => {
      await pipeline(Readable.from(bytes), createWriteStream(place, { mode: 0o600 }), { signal });
    });
    return place;
  }
  await mkdir(place, { mode: 0o700 });
  await fetchChunks(from, database.objects, place, options);
  if (!(await readdir(place)).includes('toc.dat')) {
    throw corrupted(`the dump of database ${database.name} in ${from.path} holds no toc.dat`);
  }
  return place;
}

async function fetchChunks(
  from: BackupFolder,
  objects: readonly StoredObject[],
  folder: string,
  options: FetchOptions,
): Promise<void> {
  await workThrough(objects, { beside: concurrency, signal: options.signal }, (object, either) =>
    unpack(from, object, { ...options, signal: either }, (bytes, signal) => unpackTar(bytes, folder, signal)),
  );
}

/** A small object whole, such as globals. */
export async function fetchText(from: BackupFolder, object: StoredObject, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  await unpack(from, object, { signal, onBytes: () => undefined }, async (bytes) => {
    // Of an attempt before, that was damaged.
    parts.length = 0;
    for await (const part of bytes) parts.push(part);
  });
  return Buffer.concat(parts).toString('utf8');
}

/** What is damaged in one repository is fetched from another that has it. */
function unpack(...[from, object, ...how]: Parameters<typeof unpackOnce>): Promise<void> {
  return orFromAnother(from.store, `${from.path}/${object.path}`, () => unpackOnce(from, object, ...how));
}

async function unpackOnce(
  from: BackupFolder,
  object: StoredObject,
  { signal, onBytes }: Pick<FetchOptions, 'signal' | 'onBytes'>,
  consume: (bytes: AsyncIterable<Buffer>, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { store, path } = from;
  const key = `${path}/${object.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const stored = verified(counted(await store.download(key, { signal }), onBytes), object, where);
    const stages = unpackers(from);
    // An error of the input is the pipeline's error, before any of the stages'.
    await consume(stages.length === 0 ? stored : runPipeline(stages, { signal, input: stored }).output, signal);
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
      `The scratch space ran full while ${where} was unpacked: a restore needs room for the unpacked dumps of all databases asked for. Nothing was changed in the target. Restore fewer databases in one request, or give the node more ephemeral storage.`,
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
