import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type EncryptedWorld,
  encryptedRepository,
  generateKeys,
  make,
  mountIdentity,
  restore,
  startEncryptedWorld,
} from './setting.ts';

let world: EncryptedWorld;
let server: EncryptedWorld['server'];
let s3: EncryptedWorld['s3'];
let setting: EncryptedWorld['setting'];
let keys: EncryptedWorld['keys'];
let repository: EncryptedWorld['repository'];
let store: EncryptedWorld['store'];
let databases: EncryptedWorld['databases'];

beforeAll(async () => {
  world = await startEncryptedWorld();
  ({ server, s3, setting, keys, repository, store, databases } = world);
  await server.psql('CREATE DATABASE shop');
  await server.psql('CREATE TABLE orders AS SELECT 1 AS id', 'shop');
});

beforeEach(() => mountIdentity(setting, keys.identity));

afterAll(() => world?.remove());

const makeOne = (into = repository) => make(setting, server, { store, into });
const copy = { databases: [{ name: 'shop', targetName: 'copy' }] };

describe('without the right identity nothing is begun', () => {
  let backupID: string;
  beforeAll(async () => {
    ({ backupID } = (await makeOne()).manifest);
  });
  const attempt = async (into = repository) => {
    const before = await databases();
    const { error } = await restore(setting, server, into, backupID, copy);
    expect(await databases()).toBe(before);
    expect(error?.retryable).toBe(false);
    return error;
  };

  test('another one', async () => {
    await mountIdentity(setting, (await generateKeys()).identity);
    const error = await attempt();
    expect(error?.reason).toBe('WrongIdentity');
    for (const said of [keys.recipient, 'age-identity', 'identity.txt', 'offsite']) {
      expect(error?.message).toContain(said);
    }
  });

  test('what is none', async () => {
    await mountIdentity(setting, 'let me in\n');
    const error = await attempt();
    expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining('cannot be used') });
    expect(error?.message).not.toContain('let me in');
  });

  test.each([
    ['no Secret', undefined],
    ['an empty one', '\n'],
  ])('%s', async (_, text) => {
    await mountIdentity(setting, text);
    expect(await attempt()).toMatchObject({
      reason: 'IdentityMissing',
      message: expect.stringMatching(/key identity\.txt of the Secret age-identity/),
    });
  });

  test('a repository that names none', async () => {
    const nameless = encryptedRepository(s3, [keys.recipient]);
    delete nameless.spec.encryption?.age?.identitySecretRef;
    expect(await attempt(nameless)).toMatchObject({
      reason: 'IdentityMissing',
      message: expect.stringContaining('identitySecretRef'),
    });
  });
});

test('after a change of recipients old and new backups restore with a file that has both identities', async () => {
  const next = await generateKeys();
  const rotated = encryptedRepository(s3, [next.recipient]);
  const older = (await makeOne()).manifest;
  const newer = (await makeOne(rotated)).manifest;
  expect(newer.encryption?.recipients).toEqual([next.recipient]);
  await mountIdentity(setting, next.identity);
  const { error } = await restore(setting, server, rotated, older.backupID, copy);
  expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining(keys.recipient) });
  await mountIdentity(setting, `${next.identity}\n${keys.identity}`);
  for (const { backupID } of [older, newer]) {
    expect((await restore(setting, server, rotated, backupID, copy)).error).toBeUndefined();
    await server.psql('DROP DATABASE copy');
  }
});

test('each of several recipients can restore, an SSH key too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-ssh-'));
  try {
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
    const sshIdentity = await readFile(join(folder, 'key'), 'utf8');
    const sshRecipient = (await readFile(join(folder, 'key.pub'), 'utf8')).trim();
    const both = encryptedRepository(s3, [keys.recipient, sshRecipient]);
    const { manifest } = await makeOne(both);
    for (const identity of [keys.identity, sshIdentity]) {
      await mountIdentity(setting, identity);
      expect((await restore(setting, server, both, manifest.backupID, copy)).error).toBeUndefined();
      await server.psql('DROP DATABASE copy');
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
