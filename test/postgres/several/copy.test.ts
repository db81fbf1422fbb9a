import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCopy } from '../../../src/agent/copy/run-copy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { parseBackupPath } from '../../../src/domain/layout.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  recordingReporter,
  type Setting,
  s3Repository,
  volumeRepository,
} from '../backup/setting.ts';
import { generateKeys, identitySecret, type KeyPair, restore } from '../encryption/setting.ts';

let server: TestServer;
let s3: S3Server;
let setting: Setting;
let keys: KeyPair;
/** Of the backup that is copied, in the volume. */
let path: string;
let backupID: string;
let checksum: string;

const signal = AbortSignal.timeout(300_000);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const count = 'SELECT count(*), sum(i) FROM rows';

beforeAll(async () => {
  [server, s3, keys] = await Promise.all([startPostgres(), startS3Server(), generateKeys()]);
  setting = await createSetting(server, s3);
  await server.psql('CREATE DATABASE shop');
  await server.psql('CREATE TABLE rows AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i', 'shop');
  const { reporter } = await backUp(setting, backupTask(server, { logical: { databases: { include: ['shop'] } } }));
  const [entry] = reporter.status.repositories as readonly { readonly path: string }[];
  path = entry?.path ?? '';
  backupID = String(reporter.status.backupID);
  checksum = String(reporter.status.checksum);
});

afterAll(async () => {
  await setting?.remove();
  await Promise.all([server?.stop(), s3?.stop()]);
});

let buckets = 0;
async function bucket(age?: object): Promise<RepositoryTask> {
  buckets += 1;
  await s3.createBucket(`copies-${buckets}`);
  const repository = s3Repository(s3, `copies-${buckets}`);
  if (age === undefined) return repository;
  return { ...repository, spec: backupRepositorySpec.parse({ ...repository.spec, encryption: { age } }) };
}

interface How {
  readonly wal?: boolean;
  readonly backups?: readonly string[];
  readonly jobName?: string;
  readonly pod?: string;
}

/** The volume is mounted under the index that it has in the list. */
async function copy(
  repositories: readonly RepositoryTask[],
  { wal = false, backups = [backupID], jobName = 'copy-orders', pod = 'copy-orders-1' }: How = {},
) {
  const reporter = recordingReporter();
  const outcome = await runCopy({
    task: {
      action: 'copy',
      namespace: 'shop',
      run: { name: 'orders-manual', uid: 'u' },
      repositories: [...repositories],
      source: { namespace: 'shop', policy: 'orders' },
      backups: [...backups],
      wal,
      deadlineSeconds: 600,
    },
    reporter,
    log: quiet,
    signal,
    claim: { jobName, pod, runState: async () => 'missing' },
    folders: setting.folders,
  });
  return { outcome, status: reporter.status };
}

/** The backup was made in the volume of index 0; as a source it has another. */
async function volumeAt(index: number): Promise<RepositoryTask> {
  const place = join(setting.folders.mountRoot, mounts.repository.volume(index));
  await rm(place, { recursive: true, force: true });
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(setting.folders.mountRoot, mounts.repository.volume(0)), place);
  return { ...volumeRepository, spec: { ...volumeRepository.spec, accessMode: 'ReadOnly' } };
}

test('a copy is byte for byte the same, has the same manifest, and is told in the run', async () => {
  const to = await bucket();
  const { outcome, status } = await copy([to, await volumeAt(1)]);
  expect(outcome.message).toMatch(/^1 backup copied to offsite, 0 there already; [1-9][0-9]* bytes sent; 0 WAL files/);
  expect(status.repositories).toMatchObject([{ name: 'offsite', state: 'Stored', path, checksum, reason: 'Copied' }]);
  const store = await openRepository(setting, to);
  const { manifest } = await readManifest(store, path, { signal, expectedSha256: checksum });
  expect(await verifyObjects(store, path, manifest, signal)).toEqual([]);
  await store.close();
  const again = await copy([to, await volumeAt(1)]);
  expect(again.outcome.message).toContain('0 backups copied to offsite, 1 there already; 0 bytes sent');
});

test('a copy that was cut off goes on with what is missing, and sends a damaged object again', async () => {
  const to = await bucket();
  await copy([to, await volumeAt(1)]);
  const store = await openRepository(setting, to);
  const { manifest } = await readManifest(store, path, { signal });
  if (manifest.method !== 'Logical') throw new Error('not the backup that was made');
  const [database] = manifest.logical.databases;
  const dump = database?.objects[0]?.path ?? '';
  const contents = database?.contents.path ?? '';
  const damaged = Buffer.alloc(database?.contents.size ?? 0, 1);
  await store.delete([`${path}/manifest.json`], { signal });
  await store.put(`${path}/${contents}`, damaged, { ifAbsent: false, signal });
  await store.put(`${path}/left-behind`, damaged, { ifAbsent: false, signal });
  const { outcome } = await copy([to, await volumeAt(1)], { pod: 'copy-orders-2' });
  expect(outcome.message).toContain(`; ${database?.contents.size} bytes sent, `);
  expect(await verifyObjects(store, path, manifest, signal)).toEqual([]);
  expect(await store.head(`${path}/left-behind`, { signal })).toBeUndefined();
  expect(await store.head(`${path}/${dump}`, { signal })).toBeDefined();
  await store.close();
});

test('a folder that another Job may be writing is left to it', async () => {
  const to = await bucket();
  await copy([to, await volumeAt(1)], { jobName: 'another' });
  const store = await openRepository(setting, to);
  await store.delete([`${path}/manifest.json`], { signal });
  await expect(copy([to, await volumeAt(1)])).rejects.toMatchObject({ reason: 'BeingWritten', retryable: true });
  await store.close();
});

test('what is damaged in one repository is taken from the next that has it', async () => {
  const [first, to] = [await bucket(), await bucket()];
  await copy([first, await volumeAt(1)]);
  const store = await openRepository(setting, first);
  const { manifest } = await readManifest(store, path, { signal });
  if (manifest.method !== 'Logical') throw new Error('not the backup that was made');
  const object = manifest.logical.databases[0]?.objects[0];
  await store.put(`${path}/${object?.path}`, Buffer.alloc(object?.size ?? 0, 1), { ifAbsent: false, signal });
  await store.close();
  await copy([to, first, await volumeAt(2)]);
  const copied = await openRepository(setting, to);
  expect(await verifyObjects(copied, path, manifest, signal)).toEqual([]);
  await copied.close();
});

test.each(['damaged', 'gone'])(
  'a restore takes what is %s in the first repository from the next, and says so',
  async (how) => {
    const first = await bucket();
    await copy([first, await volumeAt(1)]);
    const store = await openRepository(setting, first);
    const { manifest } = await readManifest(store, path, { signal });
    if (manifest.method !== 'Logical') throw new Error('not the backup that was made');
    const object = manifest.logical.databases[0]?.objects[0];
    const key = `${path}/${object?.path}`;
    if (how === 'gone') await store.delete([key], { signal });
    else await store.put(key, Buffer.alloc(object?.size ?? 0, 1), { ifAbsent: false, signal });
    await store.close();
    const asked = { databases: [{ name: 'shop', targetName: `shop_${how}` }] };
    const alone = await restore(setting, server, first, backupID, asked, { path, checksum });
    expect(alone.error).toMatchObject({ reason: 'CorruptedBackup' });
    const others = [await volumeAt(1)];
    const { outcome, error } = await restore(setting, server, first, backupID, asked, { path, checksum, others });
    expect(error).toBeUndefined();
    expect(outcome?.message).toContain(`${key} came from local-disk`);
    expect(await server.psql(count, `shop_${how}`)).toBe(await server.psql(count, 'shop'));
  },
);

test('a copy is encrypted as its repository asks, can be restored, and is copied on only with an identity', async () => {
  const age = { recipients: [keys.recipient], identitySecretRef: identitySecret };
  const to = await bucket(age);
  const first = await copy([to, await volumeAt(1)]);
  const [entry] = first.status.repositories as readonly { readonly checksum: string }[];
  expect(entry?.checksum).not.toBe(checksum);
  const store = await openRepository(setting, to);
  const { manifest } = await readManifest(store, path, { signal, expectedSha256: entry?.checksum });
  expect(manifest.encryption).toEqual({ scheme: 'age', recipients: [keys.recipient] });
  expect(await verifyObjects(store, path, manifest, signal)).toEqual([]);
  await store.close();

  const identity = async (index: number) => {
    const folder = join(setting.folders.mountRoot, mounts.repository.identity(index));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, identitySecret.key), keys.identity);
  };
  const expected = await server.psql(count, 'shop');
  await server.psql('DROP DATABASE shop');
  await identity(0);
  const known = { path, checksum: entry?.checksum ?? '' };
  const restored = await restore(setting, server, to, backupID, { databases: [{ name: 'shop' }] }, known);
  expect(restored.error).toBeUndefined();
  expect(await server.psql(count, 'shop')).toBe(expected);

  const { identitySecretRef: _, ...publicOnly } = age;
  const locked = { ...to, spec: backupRepositorySpec.parse({ ...to.spec, encryption: { age: publicOnly } }) };
  const plain = await bucket();
  await expect(copy([plain, locked])).rejects.toMatchObject({
    reason: 'IdentityMissing',
    message: expect.stringContaining('same recipients'),
  });
  const alike = await bucket(publicOnly);
  await copy([alike, locked]);
  await identity(1);
  await copy([plain, to]);
  const back = await openRepository(setting, plain);
  const opened = await readManifest(back, path, { signal });
  expect(opened.manifest.encryption).toBeUndefined();
  expect(await verifyObjects(back, path, opened.manifest, signal)).toEqual([]);
  await back.close();
});

test('an archive is copied whole, and again only what is new', async () => {
  const { systemIdentifier = '' } = parseBackupPath(path) ?? {};
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier };
  const disk = await openRepository(setting, volumeRepository);
  const archive = openWalArchive(disk, location);
  const names = ['000000010000000000000001', '000000010000000000000003', '000000020000000000000003'];
  for (const [index, name] of names.entries()) await archive.put(name, Buffer.alloc(1024, index), { signal });
  await archive.put('00000002.history', Buffer.from('1\t0/3000000\tno recovery target specified\n'), { signal });
  await disk.close();
  for (const to of [await bucket(), await bucket({ recipients: [keys.recipient] })]) {
    const { outcome } = await copy([to, await volumeAt(1)], { wal: true });
    expect(outcome.message).toContain('4 WAL files copied');
    const store = await openRepository(setting, to);
    const copied = openWalArchive(store, location);
    for (const name of names) expect(await copied.has(name, { signal })).toBe(true);
    expect([...(await copied.histories({ signal })).keys()]).toEqual([2]);
    await store.close();
    expect((await copy([to, await volumeAt(1)], { wal: true })).outcome.message).toContain('0 WAL files copied');
  }
});
