import { describe, expect, test } from 'vitest';
import {
  decryptor,
  encryptor,
  failureOfEncrypting,
  isEncrypted,
  whyNotDecrypted,
} from '../../../src/stream/encrypt.ts';
import { StageFailed } from '../../../src/stream/stage-failed.ts';

const failed = (stderr: string, command = 'age') =>
  new StageFailed('exited with code 1', { command, exitCode: 1, stderr });

test('age gets every recipient, and nothing of the environment but where programs are', () => {
  const { command, args, env } = encryptor({ scheme: 'age', recipients: ['age1one', 'ssh-ed25519 AAAA me'] });
  expect([command, ...args]).toEqual([
    'age',
    '--encrypt',
    '--recipient',
    'age1one',
    '--recipient',
    'ssh-ed25519 AAAA me',
  ]);
  expect(Object.keys(env ?? {}).sort()).toEqual(['LC_ALL', 'PATH']);
  expect(decryptor('/secret/key').args).toEqual(['--decrypt', '--identity', '/secret/key']);
});

test('an age file is known by its first line', () => {
  expect(isEncrypted(Buffer.from('age-encryption.org/v1\n-> X25519 a\n'))).toBe(true);
  for (const other of ['', 'age-encryption.org/v1', '-----BEGIN AGE ENCRYPTED FILE-----\n', '\x28\xb5\x2f\xfd']) {
    expect(isEncrypted(Buffer.from(other, 'latin1'))).toBe(false);
  }
});

describe('what age says', () => {
  test.each([
    ['age: error: no identity matched any of the recipients', 'NoIdentityFits'],
    ['age: error: reading "/x": failed to read "/x": no secret keys found', 'NoIdentity'],
    ['age: error: reading "/x": failed to read "/x": error at line 1: unknown identity type', 'NoIdentity'],
    ['age: error: reading "/x": failed to read "/x": error at line 1: malformed secret key: pos=15', 'NoIdentity'],
    ['age: error: failed to decrypt and authenticate payload chunk', 'Damaged'],
    ['age: error: failed to read header: parsing age header: unexpected intro: "x"', 'Damaged'],
    ['age: error: bad header MAC', 'Damaged'],
    ['age: error: failed to read nonce: EOF', 'Damaged'],
    ['age: error: unexpected EOF', 'Damaged'],
    ['age: error: failed to obtain passphrase: could not read passphrase for "/x"', 'NoIdentity'],
    ["age: error: yubikey plugin: couldn't start plugin: executable file not found in $PATH", 'NoIdentity'],
  ])('%s', (stderr, why) => {
    expect(whyNotDecrypted(failed(stderr))).toBe(why);
  });

  test('of a recipient is told, and is for a person to mend', () => {
    const failure = failureOfEncrypting(
      failed('age: error: malformed recipient "age1q": invalid checksum\nage: report'),
    );
    expect(failure).toMatchObject({ reason: 'EncryptionFailed', retryable: false });
    expect(failure?.message).toContain('(malformed recipient "age1q": invalid checksum)');
  });

  test('is not concluded from what another program says, or from a process that was killed', () => {
    expect(whyNotDecrypted(failed('no identity matched', 'zstd'))).toBeUndefined();
    expect(failureOfEncrypting(failed('malformed recipient', 'pg_dump'))).toBeUndefined();
    const killed = new StageFailed('was killed by SIGKILL', { command: 'age', signal: 'SIGKILL', stderr: '' });
    expect(whyNotDecrypted(killed)).toBeUndefined();
    expect(failureOfEncrypting(killed)).toBeUndefined();
  });
});
