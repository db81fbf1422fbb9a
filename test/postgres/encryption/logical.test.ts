import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runProbe } from '../../../src/agent/probe.ts';
import { readPage } from '../../support/docs/page.ts';
import { inventory, leftovers, recordingReporter } from '../backup/setting.ts';
import {
  type EncryptedWorld,
  encryptedRepository,
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
  await server.psql(
    "CREATE ROLE clerk_of_the_shop LOGIN PASSWORD 's3cret'; CREATE DATABASE shop; CREATE DATABASE other",
  );
  await server.psql(
    `CREATE TABLE orders AS SELECT id, '${marker}' || md5(id::text) AS note FROM generate_series(1, 20000) id;
     CREATE INDEX orders_by_note ON orders (note)`,
    'shop',
  );
  await server.psql("CREATE TABLE orders AS SELECT 1 AS id, 'others' AS note", 'other');
});

beforeEach(() => mountIdentity(setting, keys.identity));

afterAll(() => world?.remove());

const makeOne = (options: MakeOptions = {}, into = repository) => make(setting, server, { store, into }, options);
const copy = { databases: [{ name: 'shop', targetName: 'copy' }] };

describe.each([
  ['Custom', 'zstd'],
  ['Custom', 'none'],
  ['Directory', 'zstd'],
  ['Plain', 'none'],
  ['Tar', 'none'],
])('a %s backup (%s) of an encrypted repository', (format, algorithm) => {
  test('comes back the same, and nothing of it can be read but the manifest', async () => {
    const { manifest, path } = await makeOne({ format, algorithm });
    expect(manifest.encryption).toEqual({ scheme: 'age', recipients: [keys.recipient] });
    const objects = await storedObjects(store, path);
    expect(objects.size).toBeGreaterThan(3);
    expect(await recipientsAsThePageReadsThem(objects.get(`${path}/manifest.json`))).toEqual([keys.recipient]);
    for (const [key, bytes] of objects) {
      expect(bytes.includes(marker), key).toBe(false);
      if (key.endsWith('/manifest.json') || key.endsWith('/started.json')) continue;
      expect(key).toMatch(/\.age$/);
      expect(bytes.toString('latin1', 0, 22), key).toBe('age-encryption.org/v1\n');
      expect(bytes.includes('clerk_of_the_shop') || bytes.includes('orders_by_note'), key).toBe(false);
    }
    const { error } = await restore(setting, server, repository, manifest.backupID, copy);
    expect(error).toBeUndefined();
    expect(await server.psql(sum, 'copy')).toBe(await server.psql(sum, 'shop'));
    await server.psql('DROP DATABASE copy');
    expect(await leftovers(setting)).toEqual([]);
  });
});

test('the table of contents that is stored is that of the dump', async () => {
  const { manifest, path } = await makeOne();
  const [database] = manifest.logical.databases;
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-by-hand-'));
  try {
    const identity = join(folder, 'key.txt');
    await writeFile(identity, keys.identity);
    const open = async (object: string, ...rest: readonly string[]) => {
      await writeFile(join(folder, 'object'), await read(store, `${path}/${object}`));
      const script = `age -d -i ${identity} ${folder}/object | zstd -d ${rest.join(' ')}`;
      return (await execa('sh', ['-c', script])).stdout;
    };
    const listed = await open(database?.objects[0]?.path ?? '', '|', join(server.bin, 'pg_restore'), '-l');
    expect(listed).toMatch(/TABLE DATA public orders/);
    expect(await open(database?.contents.path ?? '')).toBe(listed);
    expect(await open(manifest.logical.globals?.path ?? '')).toContain('clerk_of_the_shop');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what was swapped, replayed, cut or added to is found before the target is touched', async () => {
  const older = await makeOne({ databases: ['shop', 'other'] });
  const { manifest, path } = await makeOne({ databases: ['shop', 'other'] });
  const keyOf = (name: string) =>
    `${path}/${manifest.logical.databases.find((each) => each.name === name)?.objects[0]?.path}`;
  const own = await read(store, keyOf('shop'));
  const others = [
    await read(store, keyOf('other')),
    await read(store, keyOf('shop').replace(path, older.path)),
    own.subarray(0, own.length - 70_000),
    own.subarray(0, 100),
    Buffer.concat([own, Buffer.from('more')]),
    Buffer.concat([own.subarray(0, 200), own.subarray(200, 70_000).reverse(), own.subarray(70_000)]),
  ];
  const before = await databases();
  for (const bytes of others) {
    await withObject(store, keyOf('shop'), bytes, async () => {
      const { error } = await restore(setting, server, repository, manifest.backupID, copy);
      expect(error).toMatchObject({ reason: 'CorruptedBackup', message: expect.stringContaining(keyOf('shop')) });
    });
  }
  expect(await databases()).toBe(before);
  expect((await restore(setting, server, repository, manifest.backupID, copy)).error).toBeUndefined();
  await server.psql('DROP DATABASE copy');
});

test('a manifest that is not the one which the BackupRun knows is refused, whoever encrypted what it names', async () => {
  const forged = await makeOne();
  const { manifest, path } = await makeOne();
  const checksum = `sha256:${createHash('sha256')
    .update(await read(store, `${path}/manifest.json`))
    .digest('hex')}`;
  const other = Buffer.from(JSON.stringify({ ...forged.manifest, backupID: manifest.backupID }));
  await withObject(store, `${path}/manifest.json`, other, async () => {
    const { error } = await restore(setting, server, repository, manifest.backupID, copy, { path, checksum });
    expect(error).toMatchObject({ reason: 'ChecksumMismatch', retryable: false });
  });
  const { error } = await restore(setting, server, repository, manifest.backupID, copy, { path, checksum });
  expect(error).toBeUndefined();
  await server.psql('DROP DATABASE copy');
});

test('what keeps a database from being dumped is told as without encryption', async () => {
  await server.psql("CREATE ROLE reader LOGIN PASSWORD 'pw'");
  await setting.setCredentials('reader', 'pw');
  try {
    const before = await inventory(store);
    for (const format of ['Custom', 'Plain']) {
      await expect(makeOne({ format })).rejects.toMatchObject({
        reason: 'PermissionDenied',
        message: expect.stringContaining('orders'),
      });
    }
    expect(await inventory(store)).toEqual(before);
    expect(await leftovers(setting)).toEqual([]);
  } finally {
    await setting.setCredentials(server.superuser, server.password);
  }
});

test('a recipient that is none ends the backup, and leaves nothing', async () => {
  const mistyped = keys.recipient.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'));
  const before = await inventory(store);
  for (const format of ['Custom', 'Plain', 'Directory']) {
    const failing = makeOne({ format }, encryptedRepository(s3, [mistyped]));
    await expect(failing).rejects.toMatchObject({
      reason: 'EncryptionFailed',
      retryable: false,
      message: expect.stringContaining(mistyped),
    });
  }
  const probe = (recipient: string) =>
    runProbe(
      {
        task: {
          action: 'probe',
          namespace: 'shop',
          repositoryObject: { name: 'offsite', uid: 'uid', generation: 1 },
          repository: encryptedRepository(s3, [recipient]),
        },
        reporter: recordingReporter(),
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        signal: AbortSignal.timeout(120_000),
      },
      setting.folders.mountRoot,
    );
  await expect(probe(mistyped)).rejects.toMatchObject({ reason: 'EncryptionFailed', retryable: false });
  expect((await probe(keys.recipient)).message).toContain('encrypted for 1 recipient.');
  expect(await inventory(store)).toEqual(before);
});

/** docs/encryption.md, "Changing keys". */
async function recipientsAsThePageReadsThem(manifest: Buffer | undefined): Promise<unknown> {
  const block = readPage('docs/encryption.md').blocks.find(({ text }) => text.includes('manifest.json'));
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-manifest-'));
  try {
    await writeFile(join(folder, 'manifest.json'), manifest ?? '');
    return JSON.parse((await execa('sh', ['-euc', block?.text ?? 'exit 1'], { cwd: folder })).stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}
