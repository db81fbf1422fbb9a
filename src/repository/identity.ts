import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeRecipients, type Encryption, type Scheme } from '../domain/encryption.ts';
import { type Failure, terminal } from '../domain/failure.ts';
import { mounts } from '../domain/mounts.ts';
import type { RepositoryTask } from '../domain/task.ts';
import { lacksAgent } from '../stream/gpg.ts';
import { openPrivateKeys } from '../stream/gpg-keyring.ts';
import { StageFailed } from '../stream/stage-failed.ts';
import type { OpenOptions } from './open.ts';

/** What a pod that restores has for decrypting a repository. */
export interface Identity {
  /** What spec.encryption names; undefined where there is none. */
  readonly scheme: Scheme | undefined;
  /** The mounted file; undefined where the repository names none. */
  readonly file: string | undefined;
  /** For messages: the Secret and its key, or that there is none. */
  readonly described: string;
  /** The BackupRepository. */
  readonly repository: string;
}

/** Of something that is stored; its recipients where they are known. */
export type Sealed = Pick<Encryption, 'scheme'> & Partial<Encryption>;

/** The identity of the repository whose Secrets are mounted under the given index. Reads nothing. */
export function identityOf(
  { name, spec }: RepositoryTask,
  index: number,
  { mountRoot = '' }: OpenOptions = {},
): Identity {
  const { age, gpg } = spec.encryption ?? {};
  const scheme = age !== undefined ? 'age' : gpg !== undefined ? 'gpg' : undefined;
  const ref = (age ?? gpg)?.identitySecretRef;
  if (ref === undefined) return { scheme, file: undefined, described: 'no identity', repository: name };
  const file = join(mountRoot + mounts.repository.identity(index), ref.key);
  const what = scheme === 'gpg' ? 'private keys' : 'identities';
  return {
    scheme,
    file,
    described: `the ${what} under the key ${ref.key} of the Secret ${ref.name}`,
    repository: name,
  };
}

/**
 * What decryptor() takes: the path of a file of age's with something in it, or of a keyring. Rejects with IdentityMissing,
 * or with WrongIdentity where it can be none. `what` is encrypted: a backup, a WAL segment.
 */
export async function requireIdentityFile(identity: Identity, what: string, sealed: Sealed): Promise<string> {
  const { scheme, file, repository, described } = identity;
  const field = fieldOf(sealed.scheme);
  if (file === undefined || scheme === undefined) {
    throw missing(
      `${what} is encrypted${forWhom(sealed)}, and the BackupRepository ${repository} names no identity to decrypt it with. Set ${field} to a Secret in its namespace that holds the identity of one of the recipients.`,
    );
  }
  if (scheme !== sealed.scheme) {
    throw terminal(
      'WrongIdentity',
      `${what} is encrypted${forWhom(sealed)} by ${sealed.scheme}, and the BackupRepository ${repository} names an identity of ${scheme}. Make another BackupRepository for the same place, with accessMode: ReadOnly and ${field}, and restore from that.`,
    );
  }
  const content = await readFile(file, 'utf8').catch(() => '');
  if (content.trim() === '') {
    throw missing(
      `${what} is encrypted${forWhom(sealed)}, and ${described}, which the BackupRepository ${repository} names, are not there: there is no such Secret in this namespace, or it has no such key, or nothing under it. Create it with the identity of one of the recipients.`,
    );
  }
  if (scheme === 'age') return file;
  try {
    return await openPrivateKeys(file);
  } catch (error) {
    // Of the keys nothing is known then.
    if (!(error instanceof StageFailed) || error.exitCode === undefined || lacksAgent(error)) throw error;
    throw wrongIdentity('NoIdentity', identity, what, sealed);
  }
}

const usable: Readonly<Record<Scheme, string>> = {
  age: 'age takes lines AGE-SECRET-KEY-1…, or an SSH private key without a passphrase',
  gpg: 'gpg takes private keys as gpg --export-secret-keys writes them, without a passphrase',
};

/** age or gpg has said that none fits, or that there is none. */
export function wrongIdentity(
  why: 'NoIdentityFits' | 'NoIdentity',
  { described, repository }: Identity,
  what: string,
  sealed: Sealed,
): Failure {
  const found =
    why === 'NoIdentityFits' ? `none of ${described} fits` : `${described} cannot be used: ${usable[sealed.scheme]}`;
  const several = sealed.scheme === 'age' ? ', one a line' : '';
  return terminal(
    'WrongIdentity',
    `${what} is encrypted${forWhom(sealed)}, and ${found} (${fieldOf(sealed.scheme)} of the BackupRepository ${repository}). Put the identity of one of the recipients there; several may stand in one file${several}.`,
  );
}

function fieldOf(scheme: Scheme): string {
  return `spec.encryption.${scheme}.identitySecretRef`;
}

function forWhom({ scheme, recipients }: Sealed): string {
  return recipients === undefined ? ` with ${scheme}` : ` for ${describeRecipients({ scheme, recipients })}`;
}

function missing(message: string): Failure {
  return terminal('IdentityMissing', message);
}
