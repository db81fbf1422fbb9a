import type { BackupRepositorySpec } from '../api/backup-repository.ts';

/** For whom objects are encrypted: public keys, and nothing secret. */
export interface Encryption {
  readonly scheme: 'age';
  readonly recipients: readonly string[];
}

/** What a repository asks for; undefined: objects are stored as they are. */
export function encryptionOf({ encryption }: Pick<BackupRepositorySpec, 'encryption'>): Encryption | undefined {
  if (encryption?.age === undefined) return undefined;
  // A set: neither the order nor a repetition makes another encryption.
  return { scheme: 'age', recipients: [...new Set(encryption.age.recipients)].sort() };
}

/** For who only writes: its pods, and what its changes restart, have nothing to do with identities. */
export function withoutIdentity(spec: BackupRepositorySpec): BackupRepositorySpec {
  const age = spec.encryption?.age;
  return age === undefined
    ? spec
    : { ...spec, encryption: { ...spec.encryption, age: { recipients: age.recipients } } };
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
