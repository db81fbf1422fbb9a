import { Failure, terminal, transient } from '../../../domain/failure.ts';
import type { StoredObject } from '../../../domain/manifest.ts';
import { verified } from '../../../stream/digest.ts';
import { decrypted, whyNotDecrypted } from '../../../stream/encrypt.ts';
import { extractTar, NotATar } from '../../../stream/extract-tar.ts';
import { runPipeline } from '../../../stream/pipeline.ts';
import { StageFailed } from '../../../stream/stage-failed.ts';
import { isOfZlib, unpackers } from '../../../stream/unpack.ts';
import { corrupted } from './corrupted.ts';
import type { BaseBackup } from './lay-base.ts';

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/**
 * Fetches one chunk and unpacks it into a folder. It resolves only where every stored byte was the one that the manifest
 * names; with a transient ChecksumMismatch where not.
 */
export async function unpackChunk(
  base: BaseBackup,
  chunk: StoredObject,
  folder: string,
  { signal, onBytes }: FetchOptions,
): Promise<void> {
  const { store, path, manifest, identityFile } = base;
  const key = `${path}/${chunk.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const input = verified(counted(await store.download(key, { signal }), onBytes), chunk, where);
    await extractTar(decrypted(input, identityFile, signal), { folder, compression: manifest.compression, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, where, folder);
  }
}

/** An object whole and unpacked. */
export async function fetchWhole(base: BaseBackup, object: StoredObject, signal: AbortSignal): Promise<Buffer> {
  const { store, path, manifest, identityFile } = base;
  const key = `${path}/${object.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const stored = verified(await store.download(key, { signal }), object, where);
    const stages = unpackers({ compression: manifest.compression, identityFile });
    const parts: Buffer[] = [];
    const bytes = stages.length === 0 ? stored : runPipeline(stages, { signal, input: stored }).output;
    for await (const part of bytes) parts.push(part);
    return Buffer.concat(parts);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, where, path);
  }
}

export async function* counted(source: AsyncIterable<Buffer>, onBytes: (bytes: number) => void) {
  for await (const part of source) {
    onBytes(part.length);
    yield part;
  }
}

/** What it means for a recovery that `where` could not be fetched or unpacked. */
export function failureOf(error: unknown, where: string, folder: string): unknown {
  if (error instanceof Failure && error.reason === 'NoSuchObject') {
    return corrupted(`${where} is gone.`, error);
  }
  if (isFull(error)) {
    return terminal(
      'DiskFull',
      `The volume ran full while ${where} was unpacked into ${folder}. Give it more room: target.instance.storage.size, or the claim of the workload.`,
      error,
    );
  }
  if (error instanceof StageFailed && error.signal !== undefined) {
    return transient(
      'OutOfMemory',
      `${error.command} was killed by ${error.signal} while ${where} was unpacked. If it stays so, raise jobTemplate.resources.limits.memory.`,
      error,
    );
  }
  // What age says may quote what it has read.
  if (whyNotDecrypted(error) !== undefined) {
    return transient(
      'ChecksumMismatch',
      `${where} cannot be decrypted: it is not what was encrypted for this backup.`,
      error,
    );
  }
  if (error instanceof StageFailed || error instanceof NotATar || isOfZlib(error)) {
    return transient('ChecksumMismatch', `${where} cannot be unpacked (${error.message.slice(0, 500)}).`, error);
  }
  return error;
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT'].includes(String(error.code));
}
