import { expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { describeRecipients, encryptionOf, sameEncryption, withoutIdentity } from '../../../src/domain/encryption.ts';

const keys = ['q', 'p', 'z'].map((letter) => `age1${letter.repeat(58)}`);
const spec = (recipients: readonly string[]) =>
  backupRepositorySpec.parse({
    volume: { claimName: 'backups' },
    encryption: { age: { recipients, identitySecretRef: { name: 'age-identity', key: 'identity.txt' } } },
  });

test('is the same for the same keys, in whatever order', () => {
  const one = encryptionOf(spec(keys));
  expect(one?.recipients).toEqual([...keys].sort());
  expect(sameEncryption(one, encryptionOf(spec([...keys, ...keys].reverse())))).toBe(true);
  expect(sameEncryption(one, encryptionOf(spec(keys.slice(1))))).toBe(false);
  expect(sameEncryption(one, undefined)).toBe(false);
  expect(sameEncryption(undefined, encryptionOf({}))).toBe(true);
});

test('who only writes is not told of identities', () => {
  const told = withoutIdentity(spec(keys));
  expect(JSON.stringify(told)).not.toContain('age-identity');
  expect(encryptionOf(told)).toEqual(encryptionOf(spec(keys)));
});

test('a message names some of the recipients, and counts the others', () => {
  const many = Array.from({ length: 6 }, (_, index) => `${index}${'x'.repeat(100)}`);
  const said = describeRecipients({ scheme: 'age', recipients: many });
  expect(said).toMatch(/ and 2 more$/);
  expect(said.length).toBeLessThan(400);
});

test.each([
  'AGE-SECRET-KEY-1QQQ',
  'age1short',
  `age1${'b'.repeat(58)}`,
  `age1yubikey1${'q'.repeat(58)}`,
  'ssh-rsa x',
  `${keys[0]}\n${keys[1]}`,
])('%s is no recipient', (recipient) => {
  expect(() => spec([recipient])).toThrow();
});

test.each([
  keys[0] ?? '',
  `age1pq1${'q'.repeat(1900)}`,
  `ssh-ed25519 ${'A'.repeat(68)} somebody@example.com`,
  `ssh-rsa ${'A'.repeat(372)}`,
])('%s is a recipient', (recipient) => {
  expect(encryptionOf(spec([recipient]))?.recipients).toEqual([recipient]);
});

test('there is at least one, and an identity is not needed', () => {
  expect(() => spec([])).toThrow();
  const keyless = { volume: { claimName: 'backups' }, encryption: { age: { recipients: keys } } };
  expect(backupRepositorySpec.parse(keyless).encryption?.age?.identitySecretRef).toBeUndefined();
});
