import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Encryption, encryptionOf } from '../domain/encryption.ts';
import { terminal } from '../domain/failure.ts';
import { mounts } from '../domain/mounts.ts';
import type { RepositoryTask } from '../domain/task.ts';
import { failureOfEncrypting } from '../stream/encrypt.ts';
import { openPublicKeys } from '../stream/gpg-keyring.ts';
import type { OpenOptions } from './open.ts';

/**
 * What the repository asks for, with what that takes: of gpg the public keys, whose Secret is mounted under the given
 * index. undefined: objects are stored as they are. Rejects with PublicKeysMissing or EncryptionFailed.
 */
export async function openEncryption(
  { name, spec }: RepositoryTask,
  index: number,
  { mountRoot = '' }: OpenOptions = {},
): Promise<Encryption | undefined> {
  const encryption = encryptionOf(spec);
  const ref = spec.encryption?.gpg?.publicKeySecretRef;
  if (encryption === undefined || ref === undefined) return encryption;
  const file = join(mountRoot + mounts.repository.publicKeys(index), ref.key);
  const content = await readFile(file, 'latin1').catch(() => '');
  if (content.trim() === '') {
    throw terminal(
      'PublicKeysMissing',
      `The public keys under the key ${ref.key} of the Secret ${ref.name}, which spec.encryption.gpg.publicKeySecretRef of the BackupRepository ${name} names, are not there: there is no such Secret in this namespace, or it has no such key, or nothing under it. Create it from the output of gpg --export.`,
    );
  }
  try {
    return { ...encryption, keyring: await openPublicKeys(file) };
  } catch (error) {
    throw failureOfEncrypting(error) ?? error;
  }
}
