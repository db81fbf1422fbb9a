import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BackupLocation, backupPath } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { beginBackup, commitBackup, readManifest, removeBackup } from '../../../src/repository/backups.ts';
import { findBackup, listBackups } from '../../../src/repository/find-backup.ts';
import { probeFolder, probeStore } from '../../../src/repository/probe.ts';
import type { Store } from '../../../src/repository/store.ts';
import { sweepOrphans } from '../../../src/repository/sweep-orphans.ts';
import { volumeStore } from '../../../src/repository/volume.ts';
import { openS3 } from '../../support/s3/open.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';

const { signal } = new AbortController();
const options = { signal };
const content = Buffer.from('a dump');

const started = {
  run: 'nightly-1',
  runUID: 'uid-1',
  jobName: 'nightly-1',
  pod: 'nightly-1-abcde',
  startTime: '2026-11-21T03:00:00.000Z',
  deadlineSeconds: 3600,
};
const object = (path: string) => ({
  path,
  size: content.length,
  sha256: `sha256:${createHash('sha256').update(content).digest('hex')}`,
});
const manifestOf = ({ backupID, namespace, policy, systemIdentifier }: BackupLocation): Manifest => ({
  format: 1,
  backupID,
  method: 'Logical',
  type: 'Full',
  namespace,
  policy,
  run: 'nightly-1',
  startTime: '2026-11-21T03:00:00.000Z',
  completionTime: '2026-11-21T03:01:00.000Z',
  server: { version: '17.2', systemIdentifier, timeline: 1, role: 'Primary' },
  compression: { algorithm: 'zstd', level: 3 },
  size: { source: 100, stored: 12 },
  logical: {
    tool: 'pg_dump (PostgreSQL) 17.2',
    databases: [
      {
        name: 'shop',
        format: 'Custom',
        encoding: 'UTF8',
        collate: 'C',
        ctype: 'C',
        owner: 'app',
        bytes: 100,
        objects: [object('databases/shop/dump.pgdump.zst')],
        contents: object('databases/shop/contents.txt'),
      },
    ],
  },
});

let server: S3Server;
let folder: string;
beforeAll(async () => {
  server = await startS3Server();
  await server.createBucket('backups');
  folder = await mkdtemp(join(tmpdir(), 'tidemark-volume-'));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const stores: readonly [string, () => Store][] = [
  ['s3', () => openS3({ ...server, bucket: 'backups', prefix: randomBytes(4).toString('hex') })],
  ['a volume', () => volumeStore({ mount: folder, path: randomBytes(4).toString('hex'), claimName: 'offsite' })],
];

describe.each(stores)('in %s', (_, open) => {
  let store: Store;
  const location: BackupLocation = {
    namespace: 'shop',
    policy: 'nightly',
    systemIdentifier: '7',
    backupID: '20261121T030000Z-logical',
  };
  beforeEach(() => {
    store = open();
  });

  const store_ = async (at: BackupLocation) => {
    for (const name of ['databases/shop/dump.pgdump.zst', 'databases/shop/contents.txt']) {
      await store.put(`${backupPath(at)}/${name}`, content, { ifAbsent: true, signal });
    }
  };
  const make = async (wanted: BackupLocation, from = started) => {
    const at = await beginBackup(store, wanted, from, signal);
    await store_(at);
    return { at, ...(await commitBackup(store, at, manifestOf(at), signal)) };
  };
  const keys = async () => (await Array.fromAsync(store.list('', options))).map(({ key }) => key);

  test('a committed backup is found by its ID and read back', async () => {
    const { at, sha256 } = await make(location);
    expect(at).toEqual(location);
    expect(await findBackup(store, location.backupID, signal, ['shop'])).toEqual(location);
    const read = await readManifest(store, backupPath(at), { signal, expectedSha256: sha256 });
    expect(read).toMatchObject({ manifest: manifestOf(at), sha256 });
    const { seal, ...written } = JSON.parse(read.bytes.toString());
    expect(written).toEqual(read.manifest);
    expect(seal).toMatch(/^sha256:/);
  });

  test('a backup of another namespace is found by nobody who may not read it', async () => {
    await make({ ...location, namespace: 'billing' });
    await expect(findBackup(store, location.backupID, signal, ['shop'])).rejects.toMatchObject({
      reason: 'BackupNotFound',
      message: expect.stringContaining('spec.catalogue.namespaces'),
    });
    expect(await findBackup(store, location.backupID, signal, ['shop', 'billing'])).toMatchObject({
      namespace: 'billing',
    });
  });

  test('a second backup of the same second gets an ID of its own', async () => {
    const ids: string[] = [];
    for (const pod of ['a', 'b', 'c'])
      ids.push((await beginBackup(store, location, { ...started, pod }, signal)).backupID);
    const id = location.backupID;
    expect(ids).toEqual([id, `${id}-2`, `${id}-3`]);
    const own = JSON.parse((await store.get(`${backupPath(location)}-2/started.json`, options)).toString());
    expect(own).toEqual({ format: 1, backupID: `${id}-2`, ...started, pod: 'b' });
  });

  test('what has no manifest is no backup', async () => {
    await store_(await beginBackup(store, location, started, signal));
    await expect(findBackup(store, location.backupID, signal, ['shop'])).rejects.toMatchObject({
      reason: 'BackupNotFound',
      retryable: false,
    });
    await expect(readManifest(store, backupPath(location), { signal })).rejects.toMatchObject({
      reason: 'BackupNotFound',
    });
    expect(await Array.fromAsync(listBackups(store, signal))).toEqual([{ location, complete: false }]);
  });

  test('a manifest that names an object which is not stored whole is not written', async () => {
    const at = await beginBackup(store, location, started, signal);
    await expect(commitBackup(store, at, manifestOf(at), signal)).rejects.toMatchObject({ reason: 'ObjectMissing' });
    expect(await keys()).toEqual([`${backupPath(at)}/started.json`]);
  });

  test('a manifest is never written over', async () => {
    const { at, sha256 } = await make(location);
    await expect(commitBackup(store, at, { ...manifestOf(at), run: 'other' }, signal)).rejects.toMatchObject({
      reason: 'ObjectExists',
    });
    expect((await readManifest(store, backupPath(at), { signal })).sha256).toBe(sha256);
  });

  test.each([
    [
      'another checksum than was recorded',
      'ChecksumMismatch',
      (bytes: string) => bytes.replace('nightly-1', 'nightly-2'),
    ],
    ['an unknown format', 'UnknownFormat', (bytes: string) => bytes.replace('"format": 1', '"format": 4')],
    ['half a manifest', 'DamagedManifest', (bytes: string) => bytes.slice(0, 100)],
    [
      'a path out of the folder',
      'DamagedManifest',
      (bytes: string) => bytes.replace('databases/shop/contents.txt', '../../x'),
    ],
  ])('%s is refused', async (what, reason, change) => {
    const { at, sha256 } = await make(location);
    const key = `${backupPath(at)}/manifest.json`;
    const changed = change((await store.get(key, options)).toString());
    await store.put(key, Buffer.from(changed), { ifAbsent: false, signal });
    const expectedSha256 = what.startsWith('another checksum') ? sha256 : undefined;
    await expect(readManifest(store, backupPath(at), { signal, expectedSha256 })).rejects.toMatchObject({
      reason,
      retryable: false,
    });
  });

  test('two backups of one ID are not guessed between', async () => {
    await make(location);
    await make({ ...location, policy: 'hourly' });
    await expect(findBackup(store, location.backupID, signal, ['shop'])).rejects.toMatchObject({
      reason: 'AmbiguousBackup',
      message: expect.stringContaining('shop/hourly/7/backups/'),
    });
  });

  test('removing takes everything of the backup and nothing else, and may be repeated', async () => {
    const other = await make({ ...location, backupID: `${location.backupID}0` });
    const { at } = await make(location);
    await store.put(`${backupPath(at)}/left-over`, content, { ifAbsent: true, signal });
    await removeBackup(store, backupPath(at), signal);
    await removeBackup(store, backupPath(at), signal);
    expect((await Array.fromAsync(listBackups(store, signal))).map((found) => found.location)).toEqual([other.at]);
    expect((await keys()).every((key) => key.startsWith(`${backupPath(other.at)}/`))).toBe(true);
  });

  test('sweeps what the rule calls an orphan, and nothing that has a manifest', async () => {
    const whole = (await make(location)).at;
    const dead = await beginBackup(store, location, { ...started, run: 'dead' }, signal);
    const living = await beginBackup(store, location, { ...started, run: 'living' }, signal);
    await store_(dead);
    const asked: unknown[] = [];
    const removed = await sweepOrphans(
      store,
      location,
      ({ started: by, newestObject }) => {
        asked.push(by?.run);
        expect(newestObject).toBeInstanceOf(Date);
        return by?.run === 'dead';
      },
      signal,
    );
    expect(asked).toEqual(['dead', 'living']);
    expect(removed).toEqual([backupPath(dead)]);
    expect((await Array.fromAsync(listBackups(store, signal))).map((found) => found.location)).toEqual([living, whole]);
  });

  test('the probe tries every call and leaves nothing', async () => {
    expect(await probeStore(store, signal)).toEqual({ capabilities: { conditionalPut: true, objectLock: false } });
    expect((await keys()).filter((key) => key.startsWith(probeFolder))).toEqual([]);
  });

  test('the probe of a read-only repository writes nothing', async () => {
    await make(location);
    const before = await keys();
    const reading: Store = { ...store, put: refuse, upload: refuse, delete: refuse };
    expect(await probeStore(reading, signal, 'ReadOnly')).toEqual({ capabilities: {} });
    expect(await keys()).toEqual(before);
  });

  test('the probe names the call that failed, and cleans up', async () => {
    const failing: Store = {
      ...store,
      download: () => store.download('nothing/here', options),
    };
    await expect(probeStore(failing, signal)).rejects.toMatchObject({
      reason: 'NoSuchObject',
      message: expect.stringContaining('“ranged get” failed'),
    });
    expect(await keys()).toEqual([]);
  });
});

const refuse = () => Promise.reject(new Error('a read-only repository was written to'));
