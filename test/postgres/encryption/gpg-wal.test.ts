import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDestinations } from '../../../src/agent/archive/destinations.ts';
import type { Encryption } from '../../../src/domain/encryption.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { identityOf } from '../../../src/repository/identity.ts';
import { openEncryption } from '../../../src/repository/open-encryption.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { encryptedWith } from '../../../src/stream/encrypt.ts';
import { closeKeyrings } from '../../../src/stream/gpg-keyring.ts';
import { openS3 } from '../../support/s3/open.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { createSetting, type Setting } from '../backup/setting.ts';
import { forGpg, type GpgKey, generateGpgKey, gpgAgents, mountGpgKeys } from './gpg-keys.ts';
import { encryptedRepository, read, withObject } from './setting.ts';

const marker = 'the-marker-that-nobody-may-read';
const options = () => ({ signal: AbortSignal.timeout(120_000) });

let s3: S3Server;
let setting: Setting;
let store: Store;
let key: GpgKey;
let other: GpgKey;
let repository: RepositoryTask;

beforeAll(async () => {
  [s3, key, other] = await Promise.all([startS3Server(), generateGpgKey(), generateGpgKey()]);
  await s3.createBucket('backups');
  setting = await createSetting({ superuser: '', password: '' } as never, s3);
  // As the sidecar opens it, with the repository's prefix.
  store = openS3({ ...s3, bucket: 'backups', prefix: 'prod/eu' });
  repository = forGpg(encryptedRepository(s3, [`age1${'q'.repeat(58)}`]), [key.fingerprint]);
}, 60_000);

beforeEach(() => mountGpgKeys(setting, { publicKeys: key.publicKey, privateKeys: key.privateKey }));

afterAll(async () => {
  closeKeyrings();
  await store?.close();
  await s3?.stop();
  await setting?.remove();
});

describe('WAL', () => {
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1' };
  let encrypted: WalArchive;
  let readable: WalArchive;
  let number = 0;
  const nextName = () => {
    number += 1;
    return `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`;
  };
  const keyOf = (name: string) => `${encrypted.path}/00000001/${name}.zst`;
  beforeAll(async () => {
    await mountGpgKeys(setting, { publicKeys: key.publicKey, privateKeys: key.privateKey });
    const { mountRoot } = setting.folders;
    const encryption = (await openEncryption(repository, 0, { mountRoot })) as Encryption;
    encrypted = openWalArchive(store, location, { encryption });
    readable = openWalArchive(store, location, { identity: identityOf(repository, 0, { mountRoot }) });
  });

  test('is stored for the recipients by the sidecar too, and read with the private key', async () => {
    const content = Buffer.concat([Buffer.from(marker), randomBytes(300_000)]);
    const name = nextName();
    expect(await encrypted.put(name, content, options())).toBe('Stored');
    const stored = await read(store, keyOf(name));
    expect(encryptedWith(stored)).toBe('gpg');
    expect((await readable.get(name, options()))?.equals(content)).toBe(true);
    const destinations = openDestinations(
      {
        action: 'archive',
        namespace: 'shop',
        policy: { name: 'orders', uid: 'uid' },
        repositories: [repository],
        maxParallel: 2,
        compression: { algorithm: 'lz4' },
      },
      setting.folders.mountRoot,
    );
    const sent = nextName();
    await destinations.store({ name: sent, content, systemIdentifier: '1' }, new Set(), options());
    await destinations.close();
    const got = await readable.get(sent, options());
    expect(got?.equals(content)).toBe(true);
  });

  test('is compared by its index, and never replaced', async () => {
    const [name, content] = [nextName(), randomBytes(1000)];
    await encrypted.put(name, content, options());
    const stored = await read(store, keyOf(name));
    expect(await encrypted.put(name, content, options())).toBe('AlreadyThere');
    await expect(encrypted.put(name, randomBytes(1000), options())).rejects.toMatchObject({ reason: 'WalConflict' });
    const plain = openWalArchive(store, location);
    expect(await plain.put(name, content, options())).toBe('AlreadyThere');
    expect(await read(store, keyOf(name))).toEqual(stored);
  });

  test('that was damaged, cut short or lengthened is not given out', async () => {
    const name = nextName();
    await encrypted.put(name, randomBytes(300_000), options());
    const whole = await read(store, keyOf(name));
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1);
    for (const bytes of [damaged, whole.subarray(0, -1), whole.subarray(0, 60_000), Buffer.concat([whole, whole])]) {
      await withObject(store, keyOf(name), bytes, async () => {
        const got = readable.get(name, options()).then((content) => content?.length);
        await expect(got).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
      });
    }
  });

  test('cannot be read with another key, or with none', async () => {
    const name = nextName();
    await encrypted.put(name, randomBytes(1000), options());
    await mountGpgKeys(setting, { privateKeys: other.privateKey });
    await expect(readable.get(name, options())).rejects.toMatchObject({
      reason: 'WrongIdentity',
      message: expect.stringContaining(key.fingerprint),
    });
    await mountGpgKeys(setting, {});
    await expect(readable.get(name, options())).rejects.toMatchObject({ reason: 'IdentityMissing' });
  });
});

test('a process that has ended leaves no agent and no key behind', async () => {
  const file = join(setting.folders.mountRoot, 'key.asc');
  await writeFile(file, key.privateKey);
  const script = `
    import { openPrivateKeys } from '${new URL('../../../src/stream/gpg-keyring.ts', import.meta.url).pathname}';
    process.stdout.write(await openPrivateKeys(process.argv[1]));`;
  const { stdout: home } = await execa(process.execPath, ['--input-type=module', '--eval', script, file]);
  expect(home).toContain(tmpdir());
  await expect(readFile(join(home, 'pubring.kbx'))).rejects.toThrow();
  expect(await readdir(tmpdir())).not.toContain(home.split('/').at(-1));
  await expect.poll(async () => (await gpgAgents()).filter((line) => line.includes(home))).toEqual([]);
});
