import type { BackupRepositorySpec } from '../api/backup-repository.ts';

/** For whom objects are encrypted: public keys, and nothing secret. */
export interface Encryption {
  readonly scheme: Scheme;
  /** age: public keys. gpg: fingerprints. */
  readonly recipients: readonly string[];
  /** gpg: the folder with those keys, of this process (stream/gpg-keyring.ts). */
  readonly keyring?: string | undefined;
}

export type Scheme = 'age' | 'gpg';

/** What a repository asks for; undefined: objects are stored as they are. */
export function encryptionOf({ encryption }: Pick<BackupRepositorySpec, 'encryption'>): Encryption | undefined {
  // A set: neither the order nor a repetition makes another encryption.
  const set = (recipients: readonly string[]) => [...new Set(recipients)].sort();
  if (encryption?.age !== undefined) return { scheme: 'age', recipients: set(encryption.age.recipients) };
  if (encryption?.gpg === undefined) return undefined;
  return { scheme: 'gpg', recipients: set(encryption.gpg.recipients.map((fingerprint) => fingerprint.toUpperCase())) };
}

/** For who only writes: its pods, and what its changes restart, have nothing to do with identities. */
export function withoutIdentity(spec: BackupRepositorySpec): BackupRepositorySpec {
  const { age, gpg } = spec.encryption ?? {};
  if (age !== undefined) return { ...spec, encryption: { age: { recipients: age.recipients } } };
  if (gpg === undefined) return spec;
  const { publicKeySecretRef, recipients } = gpg;
  return { ...spec, encryption: { gpg: { publicKeySecretRef, recipients } } };
}

export function sameEncryption(one: Encryption | undefined, other: Encryption | undefined): boolean {
  return one?.scheme === other?.scheme && one?.recipients.join('\n') === other?.recipients.join('\n');
}

const shownRecipients = 4;
const shownLength = 80;

/** For messages: long keys (RSA, post-quantum) are cut, and many are counted. */
export function describeRecipients({ recipients }: Encryption): string {
  const shown = recipients
    .slice(0, shownRecipients)
    .map((key) => (key.length > shownLength ? `${key.slice(0, shownLength)}…` : key));
  const more = recipients.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
