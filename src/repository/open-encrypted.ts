import { Failure } from '../domain/failure.ts';
import type { Manifest, StoredObject } from '../domain/manifest.ts';
import { objectsOf } from '../domain/manifest-objects.ts';
import { verified } from '../stream/digest.ts';
import { decryptor, whyNotDecrypted } from '../stream/encrypt.ts';
import { runPipeline } from '../stream/pipeline.ts';
import { type Identity, requireIdentityFile, wrongIdentity } from './identity.ts';
import type { Store } from './store.ts';

export interface StoredBackup {
  readonly store: Store;
  /** Of the backup, in the repository. */
  readonly path: string;
  readonly manifest: Manifest;
}

/** Of a larger object only the beginning is fetched: the header, and some of what it opens. */
const enough = 1024 ** 2;
const attempts = 3;

/**
 * The identity file of an encrypted backup, once it has decrypted something of it; undefined for one that is not
 * encrypted. Rejects with IdentityMissing or WrongIdentity, before anything is fetched that would be in vain.
 */
export async function openEncrypted(
  backup: StoredBackup,
  identity: Identity,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { manifest } = backup;
  const { encryption } = manifest;
  if (encryption === undefined) return undefined;
  const what = `Backup ${manifest.backupID}`;
  const file = await requireIdentityFile(identity, what, encryption);
  const bySize = objectsOf(manifest).toSorted((one, other) => one.size - other.size);
  for (const object of bySize.slice(0, attempts)) {
    const why = await tryToDecrypt(backup, object, file, signal);
    if (why === 'Decrypted') return file;
    if (why !== 'Damaged') throw wrongIdentity(why, identity, what, encryption);
  }
  // Whoever needs one of those says what is wrong with it.
  return file;
}

async function tryToDecrypt(
  { store, path }: StoredBackup,
  object: StoredObject,
  file: string,
  signal: AbortSignal,
): Promise<'Decrypted' | 'NoIdentityFits' | 'NoIdentity' | 'Damaged'> {
  const key = `${path}/${object.path}`;
  let bytes = 0;
  try {
    // Checked before: a header that was tampered with would look like one for others.
    const beginning = await readBeginning(
      verified(await store.download(key, { signal, sparing: true }), object, `${key} in ${store.description}`),
    );
    const { output } = runPipeline([decryptor(file)], { signal, input: pieces(beginning) });
    for await (const part of output) bytes += part.length;
    return 'Decrypted';
  } catch (error) {
    signal.throwIfAborted();
    // It ends in the middle, where it is only the beginning; but what age gives out it has authenticated.
    if (bytes > 0) return 'Decrypted';
    const why = whyNotDecrypted(error);
    if (why !== undefined) return why;
    if (error instanceof Failure && ['ChecksumMismatch', 'NoSuchObject'].includes(error.reason)) return 'Damaged';
    throw error;
  }
}

async function readBeginning(source: AsyncIterable<Buffer>): Promise<readonly Buffer[]> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of source) {
    parts.push(part);
    bytes += part.length;
    if (bytes > enough) break;
  }
  return parts;
}

async function* pieces(parts: readonly Buffer[]): AsyncGenerator<Buffer, void, void> {
  yield* parts;
}
