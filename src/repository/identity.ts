import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeRecipients, type Encryption } from '../domain/encryption.ts';
import { type Failure, terminal } from '../domain/failure.ts';
import { mounts } from '../domain/mounts.ts';
import type { RepositoryTask } from '../domain/task.ts';
import type { OpenOptions } from './open.ts';

/** What a pod that restores has for decrypting a repository. */
export interface Identity {
  /** The mounted file; undefined where the repository names none. */
  readonly file: string | undefined;
  /** For messages: the Secret and its key, or that there is none. */
  readonly described: string;
  /** The BackupRepository. */
  readonly repository: string;
}

/** The identity of the repository whose Secrets are mounted under the given index. Reads nothing. */
export function identityOf(
  { name, spec }: RepositoryTask,
  index: number,
  { mountRoot = '' }: OpenOptions = {},
): Identity {
  const ref = spec.encryption?.age?.identitySecretRef;
  if (ref === undefined) return { file: undefined, described: 'no identity', repository: name };
  const file = join(mountRoot + mounts.repository.identity(index), ref.key);
  return { file, described: `the identities under the key ${ref.key} of the Secret ${ref.name}`, repository: name };
}

/** The path of a file with something in it, or IdentityMissing. `what` is encrypted: a backup, a WAL segment. */
export async function requireIdentityFile(
  identity: Identity,
  what: string,
  encryption: Encryption | undefined,
): Promise<string> {
  const { file, repository, described } = identity;
  if (file === undefined) {
    throw missing(
      `${what} is encrypted${forWhom(encryption)}, and the BackupRepository ${repository} names no identity to decrypt it with. Set spec.encryption.age.identitySecretRef to a Secret in its namespace that holds the identity of one of the recipients.`,
    );
  }
  const content = await readFile(file, 'utf8').catch(() => '');
  if (content.trim() !== '') return file;
  throw missing(
    `${what} is encrypted${forWhom(encryption)}, and ${described}, which the BackupRepository ${repository} names, are not there: there is no such Secret in this namespace, or it has no such key, or nothing under it. Create it with the identity of one of the recipients.`,
  );
}

/** age has said that none fits, or that there is none. */
export function wrongIdentity(
  why: 'NoIdentityFits' | 'NoIdentity',
  { described, repository }: Identity,
  what: string,
  encryption: Encryption | undefined,
): Failure {
  const found =
    why === 'NoIdentityFits'
      ? `none of ${described} fits`
      : `${described} cannot be used: age takes lines AGE-SECRET-KEY-1…, or an SSH private key without a passphrase`;
  return terminal(
    'WrongIdentity',
    `${what} is encrypted${forWhom(encryption)}, and ${found} (spec.encryption.age.identitySecretRef of the BackupRepository ${repository}). Put the identity of one of the recipients there; several may stand in one file, one a line.`,
  );
}

function forWhom(encryption: Encryption | undefined): string {
  return encryption === undefined ? ' with age' : ` for ${describeRecipients(encryption)}`;
}

function missing(message: string): Failure {
  return terminal('IdentityMissing', message);
}
