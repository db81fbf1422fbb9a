import { Failure, terminal, transient } from '../../../domain/failure.ts';
import type { StoredObject } from '../../../domain/manifest.ts';
import { verified } from '../../../stream/digest.ts';
import { whyNotDecrypted } from '../../../stream/encrypt.ts';
import { runPipeline, type Stage } from '../../../stream/pipeline.ts';
import { StageFailed } from '../../../stream/stage-failed.ts';
import { unpackers } from '../../../stream/unpack.ts';
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
  const { store, path } = base;
  const key = `${path}/${chunk.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const input = verified(counted(await store.download(key, { signal }), onBytes), chunk, where);
    const stages = [...unpackersOf(base), unpacker(folder)];
    await runPipeline(stages, { signal, input, stdout: 'ignore' }).finished;
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, where, folder);
  }
}

function unpackersOf({ manifest: { compression }, identityFile }: BaseBackup): readonly Stage[] {
  return unpackers({ compression, identityFile });
}

/** Modes as the server had them; the owner is this account, which the server runs under too. */
export function unpacker(folder: string): Stage {
  return {
    command: 'tar',
    args: [
      '--extract',
      '--file=-',
      `--directory=${folder}`,
      '--preserve-permissions',
      '--no-same-owner',
      '--touch',
      '--delay-directory-restore',
    ],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
  };
}

/** An object whole and unpacked. */
export async function fetchWhole(base: BaseBackup, object: StoredObject, signal: AbortSignal): Promise<Buffer> {
  const { store, path } = base;
  const key = `${path}/${object.path}`;
  const where = `${key} in ${store.description}`;
  try {
    const stored = verified(await store.download(key, { signal }), object, where);
    const stages = unpackersOf(base);
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
  if (!(error instanceof StageFailed)) return error;
  if (/No space left on device|Disk quota exceeded/.test(error.stderr)) {
    return terminal(
      'DiskFull',
      `The volume ran full while ${where} was unpacked into ${folder}. Give it more room: target.instance.storage.size, or the claim of the workload.`,
      error,
    );
  }
  if (error.signal !== undefined) {
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
  return transient('ChecksumMismatch', `${where} cannot be unpacked (${error.message.slice(0, 500)}).`, error);
}
