import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDestinations } from '../../../src/agent/archive/destinations.ts';
import { openArchives } from '../../../src/agent/watch-wal/archives.ts';
import { type Encryption, encryptionOf } from '../../../src/domain/encryption.ts';
import { identityOf } from '../../../src/repository/identity.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { isEncrypted } from '../../../src/stream/encrypt.ts';
import { openS3 } from '../../support/s3/open.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { createSetting, type Setting } from '../backup/setting.ts';
import { encryptedRepository, generateKeys, type KeyPair, mountIdentity, read, withObject } from './setting.ts';

let s3: S3Server;
let setting: Setting;
let keys: KeyPair;
let store: Store;
let plain: WalArchive;
let encrypted: WalArchive;
/** With the identity that is mounted. */
let readable: WalArchive;
let number = 0;

const options = () => ({ signal: AbortSignal.timeout(120_000) });
const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1' };
/** Another file for each test. */
const nextName = () => {
  number += 1;
  return `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`;
};
const keyOf = (name: string) => `${plain.path}/00000001/${name}.zst`;
const indexOf = (name: string) => `${plain.path}/index/00000001/${name}.json`;

beforeAll(async () => {
  [s3, keys] = await Promise.all([startS3Server(), generateKeys()]);
  await s3.createBucket('backups');
  setting = await createSetting({ superuser: '', password: '' } as never, s3);
  store = openS3({ ...s3, bucket: 'backups' });
  const repository = encryptedRepository(s3, [keys.recipient]);
  const encryption = encryptionOf(repository.spec) as Encryption;
  const identity = identityOf(repository, 0, { mountRoot: setting.folders.mountRoot });
  plain = openWalArchive(store, location);
  encrypted = openWalArchive(store, location, { encryption });
  readable = openWalArchive(store, location, { identity });
});

beforeEach(() => mountIdentity(setting, keys.identity));

afterAll(async () => {
  await store?.close();
  await s3?.stop();
  await setting?.remove();
});

test('a file is stored as an age file of a zstd frame, and read with the identity', async () => {
  const name = nextName();
  const content = Buffer.concat([Buffer.from('the-marker'), randomBytes(300_000)]);
  expect(await encrypted.put(name, content, options())).toBe('Stored');
  const stored = await read(store, keyOf(name));
  expect(stored.toString('latin1', 0, 22)).toBe('age-encryption.org/v1\n');
  expect(stored.includes('the-marker')).toBe(false);
  expect(await readable.get(name, options())).toEqual(content);
  expect(await encrypted.has(name, options())).toBe(true);
  const listed = [];
  for await (const file of encrypted.list(1, options())) listed.push(file.name);
  expect(listed).toContain(name);
  expect(await encrypted.timelines(options())).toEqual([1]);
});

test('a history file stays readable: it is the map that everybody needs', async () => {
  const history = Buffer.from('1\t0/3000000\tno recovery target specified\n');
  await encrypted.put('00000002.history', history, options());
  expect(await plain.get('00000002.history', options())).toEqual(history);
});

test('the sidecar and the receiver encrypt for the recipients of the repository', async () => {
  const repository = encryptedRepository(s3, [keys.recipient]);
  const mountRoot = setting.folders.mountRoot;
  const owned = await openStore(repository, 0, { mountRoot });
  const task = {
    namespace: 'shop',
    policy: { name: 'orders', uid: 'uid' },
    repositories: [repository],
    maxParallel: 2,
    compression: { algorithm: 'zstd' as const },
  };
  const destinations = openDestinations({ action: 'archive', ...task }, mountRoot);
  const archives = await openArchives(task as never, '1', mountRoot);
  try {
    const [sent, received] = [nextName(), nextName()];
    const content = randomBytes(1000);
    const parcel = { name: sent, content, systemIdentifier: '1' };
    await destinations.store(parcel, new Set(), options());
    for (const { archive } of archives) await archive.put(received, content, options());
    for (const name of [sent, received]) {
      expect(isEncrypted(await read(owned, keyOf(name)))).toBe(true);
      const identity = identityOf(repository, 0, { mountRoot });
      expect(await openWalArchive(owned, location, { identity }).get(name, options())).toEqual(content);
    }
  } finally {
    await destinations.close();
    await Promise.all([owned, ...archives.map(({ archive }) => archive.store)].map((each) => each.close()));
  }
});

describe('a file that is there is never replaced', () => {
  const content = randomBytes(1000);
  const other = randomBytes(1000);
  const conflicts = (archive: WalArchive, name: string) =>
    expect(archive.put(name, other, options())).rejects.toMatchObject({ reason: 'WalConflict', retryable: false });

  test.each([
    ['encrypted, and again', () => encrypted, () => encrypted],
    ['in the clear, then encrypted', () => plain, () => encrypted],
    ['encrypted, then in the clear', () => encrypted, () => plain],
  ])('%s', async (_, first, second) => {
    const name = nextName();
    expect(await first().put(name, content, options())).toBe('Stored');
    const stored = await read(store, keyOf(name));
    expect(await second().put(name, content, options())).toBe('AlreadyThere');
    await conflicts(second(), name);
    await conflicts(first(), name);
    expect(await read(store, keyOf(name))).toEqual(stored);
    expect(await readable.get(name, options())).toEqual(content);
  });

  test('a writer that died between the index and the file is followed by itself, not by another', async () => {
    const name = nextName();
    await encrypted.put(name, content, options());
    await store.delete([keyOf(name)], options());
    await conflicts(encrypted, name);
    expect(await encrypted.has(name, options())).toBe(false);
    expect(await encrypted.put(name, content, options())).toBe('Stored');
  });

  test('several writers of the same file at once all succeed, those of another all fail', async () => {
    const name = nextName();
    const same = Array.from({ length: 6 }, () => encrypted.put(name, content, options()));
    const results = await Promise.all(same);
    expect(results.filter((result) => result === 'Stored')).toHaveLength(1);
    const contested = nextName();
    const mixed = [content, other, content, other].map((each) => encrypted.put(contested, each, options()));
    const settled = await Promise.allSettled(mixed);
    const winner = await readable.get(contested, options());
    for (const [index, each] of [content, other, content, other].entries()) {
      expect(settled[index]?.status).toBe(winner?.equals(each) ? 'fulfilled' : 'rejected');
    }
  });

  test('one without its index is not known', async () => {
    const name = nextName();
    await encrypted.put(name, content, options());
    await store.delete([indexOf(name)], options());
    const again = encrypted.put(name, content, options());
    await expect(again).rejects.toMatchObject({ reason: 'WalConflict' });
  });
});

describe('what cannot be read says why', () => {
  let name: string;
  beforeAll(async () => {
    name = nextName();
    await encrypted.put(name, randomBytes(300_000), options());
  });

  test('without an identity', async () => {
    const found = encrypted.get(name, options());
    await expect(found).rejects.toMatchObject({ reason: 'IdentityMissing', retryable: false });
    await mountIdentity(setting, undefined);
    await expect(readable.get(name, options())).rejects.toMatchObject({
      reason: 'IdentityMissing',
      message: expect.stringContaining('age-identity'),
    });
  });

  test('with another one, naming whom it is for', async () => {
    await mountIdentity(setting, (await generateKeys()).identity);
    const error = await readable.get(name, options()).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining(keys.recipient) });
    expect(error).toMatchObject({ message: expect.stringContaining(name) });
  });

  test.each([
    ['cut short', (stored: Buffer) => stored.subarray(0, -1000)],
    ['longer', (stored: Buffer) => Buffer.concat([stored, Buffer.from('x')])],
    ['changed', (stored: Buffer) => Buffer.from(stored.map((byte, at) => (at === 150_000 ? byte ^ 1 : byte)))],
    ['of chunks in another order', swapChunks],
  ])('%s', async (_, damage) => {
    await withObject(store, keyOf(name), damage(await read(store, keyOf(name))), async () => {
      await expect(readable.get(name, options())).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
    });
  });
});

/** Two of the chunks of 64 KiB, each with its tag, that age authenticates one by one. */
function swapChunks(stored: Buffer): Buffer {
  const payload = stored.indexOf('\n', stored.indexOf('\n--- ') + 1) + 1 + 16;
  const size = 64 * 1024 + 16;
  const chunk = (index: number) => stored.subarray(payload + index * size, payload + (index + 1) * size);
  return Buffer.concat([stored.subarray(0, payload), chunk(1), chunk(0), stored.subarray(payload + 2 * size)]);
}
