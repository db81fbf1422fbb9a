import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runProbe } from '../../../src/agent/probe.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { encryptedWith } from '../../../src/stream/encrypt.ts';
import { closeKeyrings } from '../../../src/stream/gpg-keyring.ts';
import { leftovers, recordingReporter } from '../backup/setting.ts';
import { decryptByHand, forGpg, type GpgKey, generateGpgKey, mountGpgKeys } from './gpg-keys.ts';
import {
  type EncryptedWorld,
  type MakeOptions,
  make,
  mountIdentity,
  read,
  restore,
  startEncryptedWorld,
  storedObjects,
  withObject,
} from './setting.ts';

const marker = 'the-marker-that-nobody-may-read';
const sum = "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM orders";
const copy = { databases: [{ name: 'shop', targetName: 'copy' }] };

let world: EncryptedWorld;
let server: EncryptedWorld['server'];
let setting: EncryptedWorld['setting'];
let store: EncryptedWorld['store'];
let key: GpgKey;
let other: GpgKey;
let repository: RepositoryTask;

beforeAll(async () => {
  [world, key, other] = await Promise.all([
    startEncryptedWorld(),
    generateGpgKey(),
    generateGpgKey({ algorithm: 'RSA' }),
  ]);
  ({ server, setting, store } = world);
  repository = forGpg(world.repository, [key.fingerprint]);
  await server.psql("CREATE ROLE clerk_of_the_shop LOGIN PASSWORD 's3cret'; CREATE DATABASE shop");
  await server.psql(
    `CREATE TABLE orders AS SELECT id, '${marker}' || md5(id::text) AS note FROM generate_series(1, 20000) id;
     CREATE INDEX orders_by_note ON orders (note)`,
    'shop',
  );
}, 60_000);

const both = () => `${key.publicKey}\n${other.publicKey}`;
beforeEach(() => mountGpgKeys(setting, { publicKeys: both(), privateKeys: key.privateKey }));

afterAll(async () => {
  closeKeyrings();
  await world?.remove();
});

const makeOne = (options: MakeOptions = {}, into = repository) => make(setting, server, { store, into }, options);
const attempt = async (backupID: string, from = repository) => {
  const before = await world.databases();
  const { error } = await restore(setting, server, from, backupID, copy);
  expect(await world.databases()).toBe(before);
  expect(error?.retryable).toBe(false);
  return error;
};

describe.each([
  ['Custom', 'zstd'],
  ['Directory', 'gzip'],
  ['Plain', 'none'],
  ['Tar', 'lz4'],
])('a %s backup (%s) of a repository that is encrypted by gpg', (format, algorithm) => {
  test('comes back the same, and nothing of it can be read but the manifest', async () => {
    // Backups need public keys only.
    await mountGpgKeys(setting, { publicKeys: key.publicKey });
    const { manifest, path } = await makeOne({ format, algorithm });
    expect(manifest.encryption).toEqual({ scheme: 'gpg', recipients: [key.fingerprint] });
    const objects = await storedObjects(store, path);
    expect(objects.size).toBeGreaterThan(3);
    for (const [name, bytes] of objects) {
      expect(bytes.includes(marker), name).toBe(false);
      if (name.endsWith('/manifest.json') || name.endsWith('/started.json')) continue;
      expect(name).toMatch(/\.gpg$/);
      expect(encryptedWith(bytes), name).toBe('gpg');
      expect(bytes.includes('clerk_of_the_shop') || bytes.includes('orders_by_note'), name).toBe(false);
    }
    await mountGpgKeys(setting, { privateKeys: key.privateKey });
    const { error } = await restore(setting, server, repository, manifest.backupID, copy);
    expect(error).toBeUndefined();
    expect(await server.psql(sum, 'copy')).toBe(await server.psql(sum, 'shop'));
    await server.psql('DROP DATABASE copy');
    expect((await leftovers(setting)).filter((name) => !name.includes('tidemark-gpg-'))).toEqual([]);
  });
});

test('each of several recipients can restore, and after a change of recipients a file with both keys opens all', async () => {
  const rotated = forGpg(world.repository, [other.fingerprint.toLowerCase(), key.fingerprint]);
  const older = (await makeOne()).manifest;
  const newer = (await makeOne({}, rotated)).manifest;
  expect(newer.encryption?.recipients).toEqual([key.fingerprint, other.fingerprint].sort());
  await mountGpgKeys(setting, { privateKeys: other.privateKey });
  expect(await attempt(older.backupID)).toMatchObject({ reason: 'WrongIdentity' });
  expect((await restore(setting, server, rotated, newer.backupID, copy)).error).toBeUndefined();
  await server.psql('DROP DATABASE copy');
  await mountGpgKeys(setting, { privateKeys: `${other.privateKey}\n${key.privateKey}` });
  for (const { backupID } of [older, newer]) {
    expect((await restore(setting, server, rotated, backupID, copy)).error).toBeUndefined();
    await server.psql('DROP DATABASE copy');
  }
});

describe('without the right private key nothing is begun', () => {
  let backupID: string;
  beforeAll(async () => {
    await mountGpgKeys(setting, { publicKeys: both() });
    ({ backupID } = (await makeOne()).manifest);
  });

  test('another one', async () => {
    await mountGpgKeys(setting, { privateKeys: other.privateKey });
    const error = await attempt(backupID);
    expect(error?.reason).toBe('WrongIdentity');
    for (const said of [key.fingerprint, 'gpg-private', 'private.asc', 'offsite', 'encryption.gpg.identitySecretRef'])
      expect(error?.message).toContain(said);
  });

  test('the public key alone', async () => {
    await mountGpgKeys(setting, { privateKeys: key.publicKey });
    expect(await attempt(backupID)).toMatchObject({ reason: 'WrongIdentity' });
  });

  test('one with a passphrase, which nobody can be asked for', async () => {
    const locked = await generateGpgKey({ passphrase: 'open sesame' });
    await mountGpgKeys(setting, { publicKeys: locked.publicKey });
    const into = forGpg(world.repository, [locked.fingerprint]);
    const { manifest } = await makeOne({}, into);
    await mountGpgKeys(setting, { privateKeys: locked.privateKey });
    const error = await attempt(manifest.backupID, into);
    expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining('without a passphrase') });
  });

  test('what is none', async () => {
    await mountGpgKeys(setting, { privateKeys: 'let me in\n' });
    const error = await attempt(backupID);
    expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining('cannot be used') });
    expect(error?.message).not.toContain('let me in');
  });

  test.each([
    ['no Secret', undefined],
    ['an empty one', '\n'],
  ])('%s', async (_, privateKeys) => {
    await mountGpgKeys(setting, { privateKeys });
    expect(await attempt(backupID)).toMatchObject({
      reason: 'IdentityMissing',
      message: expect.stringMatching(/key private\.asc of the Secret gpg-private/),
    });
  });

  test('one of age', async () => {
    await mountIdentity(setting, world.keys.identity);
    const error = await attempt(backupID, world.repository);
    expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining('accessMode: ReadOnly') });
  });
});

describe('public keys that cannot be used end the backup and the probe before anything is stored', () => {
  const refused = async (recipients: readonly string[], publicKeys: string | undefined) => {
    await mountGpgKeys(setting, { publicKeys });
    const task = forGpg(world.repository, recipients, undefined);
    const probing = { action: 'probe' as const, namespace: 'shop', generation: 1, repository: task };
    const probe = runProbe(
      {
        task: probing as never,
        reporter: recordingReporter(),
        log: { info: () => undefined, warn: () => undefined, error: () => undefined } as never,
        signal: AbortSignal.timeout(120_000),
      },
      setting.folders.mountRoot,
    );
    const failure = (await probe.then(
      () => undefined,
      (error: unknown) => error,
    )) as { readonly reason: string; readonly message: string } | undefined;
    const backup = await makeOne({}, task).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(backup).toBeDefined();
    return failure;
  };

  test('one that is not among them', async () => {
    const absent = '0123456789ABCDEF0123456789ABCDEF01234567';
    expect(await refused([key.fingerprint, absent], both())).toMatchObject({
      reason: 'EncryptionFailed',
      message: expect.stringContaining(`${absent} is not among the public keys`),
    });
  });

  test('one that has expired', async () => {
    const expired = await generateGpgKey({ expire: '1d', at: '20200101T000000' });
    const failure = await refused([expired.fingerprint], expired.publicKey);
    expect(failure).toMatchObject({
      reason: 'EncryptionFailed',
      message: expect.stringMatching(/expired/),
    });
  });

  test('no keys at all, and what is none', async () => {
    expect(await refused([key.fingerprint], undefined)).toMatchObject({
      reason: 'PublicKeysMissing',
      message: expect.stringMatching(/key public\.asc of the Secret gpg-public/),
    });
    expect(await refused([key.fingerprint], 'nothing')).toMatchObject({ reason: 'EncryptionFailed' });
  });
});

test('an object that was damaged, cut short, lengthened or swapped is found before the target is touched', async () => {
  const { manifest, path } = await makeOne();
  const dump = `${path}/${manifest.logical.databases[0]?.objects[0]?.path}`;
  const globals = `${path}/${manifest.logical.globals?.path}`;
  const whole = await read(store, dump);
  const damaged = Buffer.from(whole);
  damaged.writeUInt8(damaged.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1);
  const wrong = [
    damaged,
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from('more')]),
    await read(store, globals),
  ];
  for (const bytes of wrong) {
    await withObject(store, dump, bytes, async () => {
      expect((await attempt(manifest.backupID))?.reason).toBe('CorruptedBackup');
    });
  }
});

test('a person decrypts it by hand', async () => {
  const { manifest, path } = await makeOne({ algorithm: 'zstd' });
  const name = manifest.logical.globals?.path ?? '';
  const file = join(setting.folders.temporary, 'globals.gpg');
  await writeFile(file, await read(store, `${path}/${name}`));
  const packed = await decryptByHand(key.privateKey, file);
  const { stdout } = await execa('zstd', ['-d', '-c'], { input: packed });
  expect(stdout).toContain('CREATE ROLE clerk_of_the_shop');
});
