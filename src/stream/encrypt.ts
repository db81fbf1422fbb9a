import type { Encryption, Scheme } from '../domain/encryption.ts';
import { terminal, transient } from '../domain/failure.ts';
import { environment, gpgDecryptor, gpgEncryptor, isOpenPgp, saidByGpg, whyGpgFailed } from './gpg.ts';
import { isKeyring } from './gpg-keyring.ts';
import { inOnePiece } from './in-one-piece.ts';
import type { Stage } from './pipeline.ts';
import { runPipeline } from './pipeline.ts';
import { StageFailed } from './stage-failed.ts';

/** The ending of an encrypted object's name, behind that of its packing. */
export function encryptedSuffix({ scheme }: Encryption): string {
  return `.${scheme}`;
}

/** The name that an object would have without encryption. */
export function withoutEncryptedSuffix(path: string): string {
  return path.replace(/\.(age|gpg)$/, '');
}

/** Every age file of the binary format begins so (age-encryption.org/v1, "Header"). */
const intro = Buffer.from('age-encryption.org/v1\n');
/** So many bytes tell whether something is encrypted. */
export const introLength = intro.length;

/** The stage that encrypts a stream for all recipients; it knows no secret. */
export function encryptor({ scheme, recipients, keyring }: Encryption): Stage {
  if (scheme === 'gpg') {
    if (keyring === undefined) {
      throw transient(
        'PublicKeysMissing',
        'The public keys to encrypt with were not there when this pod began, and they are read when one begins. It goes on with the next pod: delete this one.',
      );
    }
    return gpgEncryptor(keyring, recipients);
  }
  return {
    command: 'age',
    args: ['--encrypt', ...recipients.flatMap((key) => ['--recipient', key])],
    env: environment(),
  };
}

/** The stage that decrypts with whichever identity fits of a file of age's, or of a keyring (requireIdentityFile()). */
export function decryptor(identityFile: string): Stage {
  if (isKeyring(identityFile)) return gpgDecryptor(identityFile);
  return { command: 'age', args: ['--decrypt', '--identity', identityFile], env: environment() };
}

/** The same bytes, decrypted where there is an identity: that is where they are encrypted. */
export function decrypted(
  input: AsyncIterable<Buffer>,
  identityFile: string | undefined,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  return identityFile === undefined ? input : runPipeline([decryptor(identityFile)], { signal, input }).output;
}

export function isEncrypted(stored: Buffer): boolean {
  return encryptedWith(stored) !== undefined;
}

/** By its first bytes; undefined where it is not encrypted. */
export function encryptedWith(stored: Buffer): Scheme | undefined {
  if (stored.subarray(0, intro.length).equals(intro)) return 'age';
  return isOpenPgp(stored) ? 'gpg' : undefined;
}

/** Bytes, whole. Rejects as failureOfEncrypting() says. */
export async function encryptBytes(bytes: Buffer, encryption: Encryption, signal: AbortSignal): Promise<Buffer> {
  try {
    return await through(encryptor(encryption), bytes, signal);
  } catch (error) {
    throw failureOfEncrypting(error) ?? error;
  }
}

/** Bytes, whole. Rejects with the StageFailed of age or gpg; whyNotDecrypted() tells what it means. */
export function decryptBytes(stored: Buffer, identityFile: string, signal: AbortSignal): Promise<Buffer> {
  return through(decryptor(identityFile), stored, signal);
}

/** undefined where it was neither age nor gpg that failed. */
export function failureOfEncrypting(error: unknown): Error | undefined {
  const scheme = schemeOf(error);
  if (scheme === undefined || !(error instanceof StageFailed) || error.signal !== undefined) return undefined;
  if (scheme === 'gpg') {
    return terminal(
      'EncryptionFailed',
      `gpg cannot encrypt for the recipients of the repository (${saidByGpg(error)}). Nothing was stored unencrypted. Correct spec.encryption.gpg.recipients of the BackupRepository, or the public keys in the Secret of publicKeySecretRef: gpg --export prints them, gpg --list-keys their fingerprints.`,
      error,
    );
  }
  return terminal(
    'EncryptionFailed',
    `age cannot encrypt for the recipients of the repository (${saidBy(error)}). Nothing was stored unencrypted. Correct spec.encryption.age.recipients of the BackupRepository: age-keygen -y IDENTITY-FILE prints the recipient of an identity.`,
    error,
  );
}

/**
 * NoIdentityFits: it is encrypted for others. NoIdentity: there is none in the file, or
 * something that age or gpg cannot use.
 * Damaged: it is not as it was written.
 */
export type WhyNotDecrypted = 'NoIdentityFits' | 'NoIdentity' | 'Damaged';

/** undefined where it was neither that failed. What age says is not passed on: it may quote what it has read. */
export function whyNotDecrypted(error: unknown): WhyNotDecrypted | undefined {
  const scheme = schemeOf(error);
  if (scheme === undefined || !(error instanceof StageFailed) || error.exitCode === undefined) return undefined;
  if (scheme === 'gpg') return whyGpgFailed(error);
  const { stderr } = error;
  if (/no identity matched|did not match any of the recipients|incorrect identity/i.test(stderr))
    return 'NoIdentityFits';
  // Otherwise a file that cannot be read, a passphrase that nobody can be asked for, a plugin that is not there.
  return damage.test(stderr) ? 'Damaged' : 'NoIdentity';
}

const damage =
  /failed to read (header|nonce)|bad header MAC|failed to decrypt and authenticate|unexpected EOF|trailing data|last chunk/i;

/** Whose program it was that failed. */
function schemeOf(error: unknown): Scheme | undefined {
  if (!(error instanceof StageFailed)) return undefined;
  return (['age', 'gpg'] as const).find((scheme) => scheme === error.command);
}

/** Its first line; recipients are public, so that it may be passed on. */
function saidBy({ stderr, message }: StageFailed): string {
  const line = stderr.split('\n').find((one) => one.startsWith('age: error: '));
  return (line?.slice('age: error: '.length) ?? message).slice(0, 300);
}

async function through(stage: Stage, bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of runPipeline([stage], { signal, input: inOnePiece(bytes) }).output) parts.push(part);
  return Buffer.concat(parts);
}
