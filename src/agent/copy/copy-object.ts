import { type Encryption, sameEncryption } from '../../domain/encryption.ts';
import { Failure } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import type { Store } from '../../repository/store.ts';
import { verified } from '../../stream/digest.ts';
import {
  decryptor,
  encryptedSuffix,
  encryptor,
  failureOfEncrypting,
  withoutEncryptedSuffix,
} from '../../stream/encrypt.ts';
import { runPipeline } from '../../stream/pipeline.ts';
import type { AgentLog } from '../log.ts';
import type { Source } from './sources.ts';

/** How the objects of a backup are to be stored where they are copied to. */
export interface Recoding {
  readonly from: Encryption | undefined;
  readonly to: Encryption | undefined;
  /** Where they must be decrypted. */
  readonly identityFile: string | undefined;
}

export interface ObjectToCopy {
  readonly object: StoredObject;
  /** The backup's folder, the same in every repository. */
  readonly folder: string;
  readonly sources: readonly Source[];
  readonly store: Store;
  readonly recoding: Recoding;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

export function isAsItIs({ from, to }: Pick<Recoding, 'from' | 'to'>): boolean {
  return sameEncryption(from, to);
}

/** The name that it has there. */
export function pathThere({ path }: Pick<StoredObject, 'path'>, { from, to }: Recoding): string {
  const plain = from === undefined ? path : withoutEncryptedSuffix(path);
  return to === undefined ? plain : `${plain}${encryptedSuffix(to)}`;
}

/**
 * Copies an object, checked by the manifest's size and digest as it is read, from the first repository that has it whole.
 * Gives what it is there.
 */
export async function copyObject(work: ObjectToCopy): Promise<StoredObject> {
  const { sources, object, log, signal } = work;
  let failure: unknown;
  for (const source of sources) {
    try {
      return await copyFrom(source, work);
    } catch (error) {
      signal.throwIfAborted();
      if (
        !(error instanceof Failure) ||
        !['NoSuchObject', 'ChecksumMismatch', 'StoreUnreachable'].includes(error.reason)
      )
        throw error;
      failure ??= error;
      log.warn({ repository: source.name, object: object.path, reason: error.reason }, error.message);
    }
  }
  throw failure;
}

async function copyFrom(
  source: Source,
  { object, folder, store, recoding, signal }: ObjectToCopy,
): Promise<StoredObject> {
  const key = `${folder}/${object.path}`;
  const path = pathThere(object, recoding);
  const bytes = verified(
    await source.store.download(key, { signal, sparing: true }),
    object,
    `${key} in ${source.store.description}`,
  );
  if (isAsItIs(recoding)) {
    await store.upload(`${folder}/${path}`, bytes, { signal });
    return { path, size: object.size, sha256: object.sha256 };
  }
  const stages = [
    ...(recoding.identityFile === undefined ? [] : [decryptor(recoding.identityFile)]),
    ...(recoding.to === undefined ? [] : [encryptor(recoding.to)]),
  ];
  try {
    const { output } = runPipeline(stages, { signal, input: bytes });
    const { size, sha256 } = await store.upload(`${folder}/${path}`, output, { signal });
    return { path, size, sha256 };
  } catch (error) {
    throw failureOfEncrypting(error) ?? error;
  }
}
