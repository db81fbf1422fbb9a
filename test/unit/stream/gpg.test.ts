import { describe, expect, test } from 'vitest';
import { watchForContent } from '../../../src/stream/age-header.ts';
import { encryptedWith, failureOfEncrypting, whyNotDecrypted } from '../../../src/stream/encrypt.ts';
import { gpgEncryptor, isOpenPgp, sessionKeysLength } from '../../../src/stream/gpg.ts';
import { StageFailed } from '../../../src/stream/stage-failed.ts';

const failed = (stderr: string) => new StageFailed('exited with code 2', { command: 'gpg', exitCode: 2, stderr });

test('gpg asks nobody, reads no configuration, and encrypts for these keys alone, without packing', () => {
  const { args, env } = gpgEncryptor('/tmp/home', ['AA', 'BB']);
  for (const wanted of ['--batch', '--no-tty', '--no-options', '--no-autostart', '--no-encrypt-to'])
    expect(args).toContain(wanted);
  expect(args.join(' ')).toContain('--trust-model always');
  expect(args.join(' ')).toContain('--compress-algo none');
  expect(args.slice(-5)).toEqual(['--encrypt', '--recipient', 'AA', '--recipient', 'BB']);
  expect(Object.keys(env ?? {}).sort()).toEqual(['LC_ALL', 'PATH']);
});

/** A packet with a session key: of the old form with one byte of length, with two, and of the new form. */
const keys = {
  short: Buffer.concat([Buffer.from([0x84, 94, 3]), Buffer.alloc(93)]),
  long: Buffer.concat([Buffer.from([0x85, 1, 12, 3]), Buffer.alloc(267)]),
  new: Buffer.concat([Buffer.from([0xc1, 94, 3]), Buffer.alloc(93)]),
  newLong: Buffer.concat([Buffer.from([0xc1, 192, 78, 3]), Buffer.alloc(269)]),
};
const data = Buffer.concat([Buffer.from([0xd2, 0xed, 1]), Buffer.alloc(200)]);

test('a message is known by its first session key, and ends its keys where the data begins', () => {
  for (const [form, key] of Object.entries(keys)) {
    expect(isOpenPgp(Buffer.concat([key, data])), form).toBe(true);
    expect(encryptedWith(Buffer.concat([key, data])), form).toBe('gpg');
    expect(sessionKeysLength(Buffer.concat([key, keys.short, data])), form).toBe(key.length + keys.short.length);
  }
  expect(sessionKeysLength(keys.short)).toBeUndefined();
  const others = [
    '',
    '\x84',
    '\x28\xb5\x2f\xfd\0\0\0',
    '\x1f\x8b\x08\0\0\0\0',
    '\x04\x22\x4d\x18\0\0',
    'text text',
    '\xa3\x02\x84\x03\0\0\0',
  ];
  for (const other of others) expect(isOpenPgp(Buffer.from(other, 'latin1')), other).toBe(false);
});

test.each([1000, 7, 1])('a message of nothing has no content, in pieces of %i', async (piece) => {
  const hadContent = async (bytes: Buffer) => {
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
    }
    const watched = watchForContent(pieces());
    for await (const _ of watched.stream);
    return watched.hadContent();
  };
  // gpg makes 51 bytes of nothing, behind the keys.
  expect(await hadContent(Buffer.concat([keys.short, keys.long, data.subarray(0, 51)]))).toBe(false);
  expect(await hadContent(Buffer.concat([keys.short, keys.long, data.subarray(0, 90)]))).toBe(true);
});

describe('what gpg says', () => {
  const sealed = '[GNUPG:] ENC_TO 15014B5EAED15FB1 18 0\n';
  test.each([
    [
      `${sealed}[GNUPG:] BEGIN_DECRYPTION\n[GNUPG:] DECRYPTION_FAILED\ngpg: decryption failed: No secret key`,
      'NoIdentityFits',
    ],
    [
      `${sealed}[GNUPG:] KEY_CONSIDERED 8AE1 0\n[GNUPG:] DECRYPTION_FAILED\ngpg: decryption failed: No secret key`,
      'NoIdentity',
    ],
    [`${sealed}[GNUPG:] KEY_CONSIDERED 8AE1 0\n[GNUPG:] DECRYPTION_KEY 47D7 8AE1 -\n[GNUPG:] BADMDC`, 'Damaged'],
    [`${sealed}gpg: ecdh failed in gcry_cipher_decrypt: Checksum error\n[GNUPG:] DECRYPTION_FAILED`, 'Damaged'],
    ['gpg: no valid OpenPGP data found.\n[GNUPG:] NODATA 1', 'Damaged'],
    [`${sealed}gpg: no gpg-agent running in this session\n[GNUPG:] DECRYPTION_FAILED`, undefined],
  ])('%s', (stderr, why) => {
    expect(whyNotDecrypted(failed(stderr))).toBe(why);
  });

  test.each([
    ['[GNUPG:] INV_RECP 1 0123', /\(0123 is not among the public keys\)/],
    ['[GNUPG:] KEY_CONSIDERED 0123 3\n[GNUPG:] INV_RECP 0 0123', /expired or were revoked/],
    ['gpg: no valid OpenPGP data found.', /no valid OpenPGP data found/],
  ])('of recipients is told, and is for a person to mend: %s', (stderr, message) => {
    const failure = failureOfEncrypting(failed(stderr));
    expect(failure).toMatchObject({ reason: 'EncryptionFailed', retryable: false });
    expect(failure?.message).toMatch(message);
    expect(failure?.message).toContain('publicKeySecretRef');
  });
});
