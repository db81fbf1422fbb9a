import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { storeStream } from '../../../src/agent/backup/store-stream.ts';
import { targetIn } from '../../../src/agent/backup/targets.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { backupPath } from '../../../src/domain/layout.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { isWhole, verifyObjects } from '../../../src/repository/verify-objects.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { openS3, shortTimings } from '../../support/s3/open.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { childThatWrote } from '../backup/processes.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  openRepository,
  type Setting,
  s3Repository,
  volumeRepository,
} from '../backup/setting.ts';
import { generateKeys } from '../encryption/setting.ts';
import { backUpPhysically, physicalTask, settings } from '../physical/physical-setting.ts';

let server: TestServer;
let s3: S3Server;
let setting: Setting;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres({ settings }), startS3Server()]);
  await server.psql('CREATE DATABASE big');
  await server.psql(
    'CREATE UNLOGGED TABLE rows AS SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, 60000) i',
    'big',
  );
  await server.psql('CREATE TABLE more AS SELECT 1 AS one', 'big');
});

beforeEach(async () => {
  setting = await createSetting(server, s3);
  return () => setting.remove();
});

afterAll(async () => {
  await Promise.all([server?.stop(), s3?.stop()]);
});

let buckets = 0;
const offsite = async (): Promise<RepositoryTask> => {
  buckets += 1;
  await s3.createBucket(`several-${buckets}`);
  return s3Repository(s3, `several-${buckets}`);
};
const signal = AbortSignal.timeout(300_000);

interface Entry {
  readonly name: string;
  readonly state: string;
  readonly path: string;
  readonly checksum?: string;
  readonly reason?: string;
  readonly message?: string;
}
const entriesOf = (status: Record<string, unknown>) => status.repositories as readonly Entry[];

/** Reads every byte of it back. */
async function expectWhole(repository: RepositoryTask, index: number, { path, checksum }: Entry): Promise<void> {
  const store = await openRepository(setting, repository, index);
  try {
    const { manifest } = await readManifest(store, path, { signal, expectedSha256: checksum });
    expect(await verifyObjects(store, path, manifest, signal)).toEqual([]);
  } finally {
    await store.close();
  }
}

async function expectNothing(repository: RepositoryTask, index: number): Promise<void> {
  const store = await openRepository(setting, repository, index);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
}

/** A volume that is full after a few mebibytes. */
async function withSmallVolume(index: number, act: () => Promise<void>): Promise<void> {
  const folder = join(setting.folders.mountRoot, mounts.repository.volume(index));
  await mkdir(folder, { recursive: true });
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
  try {
    await act();
  } finally {
    await execa('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  }
}

describe.each(['Custom', 'Directory', 'Plain', 'Tar'])('a dump in %s format', (format) => {
  const logical = { format, jobs: format === 'Directory' ? 2 : undefined, databases: { include: ['big'] } };

  test('is in a bucket that is encrypted and on a volume that is not, from one read, each whole', async () => {
    const { recipient } = await generateKeys();
    const bucket = await offsite();
    const encrypted = {
      ...bucket,
      spec: backupRepositorySpec.parse({ ...bucket.spec, encryption: { age: { recipients: [recipient] } } }),
    };
    const { outcome, reporter } = await backUp(
      setting,
      backupTask(server, { repositories: [encrypted, volumeRepository], logical }),
    );
    expect(outcome.reason).toBe('BackupStored');
    const [one, other] = entriesOf(reporter.status);
    expect([one, other]).toMatchObject([{ state: 'Stored' }, { state: 'Stored' }]);
    expect(one?.path).toBe(other?.path);
    expect(one?.checksum).not.toBe(other?.checksum);
    await expectWhole(encrypted, 0, one as Entry);
    await expectWhole(volumeRepository, 1, other as Entry);
  });

  test('is stored in one when the volume of the other is full, and the run says in which', async () => {
    const bucket = await offsite();
    await withSmallVolume(0, async () => {
      const repositories = [volumeRepository, bucket];
      const failed = backUp(setting, backupTask(server, { repositories, logical, compression: { algorithm: 'none' } }));
      await expect(failed).rejects.toMatchObject({
        reason: 'StoredInSome',
        retryable: false,
        message: expect.stringMatching(/stored in offsite\..*local-disk does not have it: /s),
      });
      await expectNothing(volumeRepository, 0);
    });
    const store = await openRepository(setting, bucket, 1);
    const { backups } = await inventory(store);
    await store.close();
    expect(backups).toMatchObject([{ complete: true }]);
  });
});

test('a store that goes away in the middle is dropped, and the other has the whole of it', async () => {
  const bucket = await offsite();
  const repositories = [{ ...bucket, name: 'dying' }, volumeRepository];
  const status: Record<string, unknown> = {};
  const logical = { format: 'Custom', databases: { include: ['big'] } };
  const compression = { algorithm: 'none' };
  const [result] = await Promise.allSettled([
    backUp(setting, backupTask(server, { repositories, logical, compression }), { reporter: remembering(status) }),
    childThatWrote(process.pid, 'pg_dump', 1_000_000, signal).then(() =>
      rm(join(s3.folder, bucket.spec.s3?.bucket ?? ''), { recursive: true, force: true }),
    ),
  ]);
  expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'StoredInSome' } });
  const [gone, there] = entriesOf(status);
  expect(gone).toMatchObject({ name: 'dying', state: 'Failed', reason: expect.stringMatching(/^NoSuch/) });
  expect(there).toMatchObject({ name: 'local-disk', state: 'Stored' });
  await expectWhole(volumeRepository, 1, there as Entry);
});

test('a server that is killed is waited for as long as an outage may last, and then dropped', async () => {
  const dying = await startS3Server();
  await dying.createBucket('dying');
  const store = openS3({ ...dying, bucket: 'dying' }, shortTimings);
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1', backupID: 'b' };
  const disk = await openRepository(setting, volumeRepository, 1);
  const targets = [
    targetIn({ name: 'dying', store }, location),
    targetIn({ name: 'local-disk', store: disk }, location),
  ];
  const bytes = 48 * 1024 ** 2;
  async function* content() {
    for (let at = 0; at < bytes; at += 1024 ** 2) {
      if (at === bytes / 2) await dying.stop();
      yield Buffer.alloc(1024 ** 2, at % 251);
    }
  }
  try {
    const object = await storeStream({ targets, path: 'dump', stages: [], input: content(), signal });
    expect(object.size).toBe(bytes);
    expect(targets.map(({ copy }) => copy.failure()?.reason)).toEqual(['StoreUnreachable', undefined]);
    expect(await isWhole(disk, backupPath(location), object, signal)).toBe(true);
  } finally {
    await dying.stop();
    await Promise.all([store.close(), disk.close()]);
  }
});

test('where every repository fails, the run fails with their failure, and nothing stays', async () => {
  await withSmallVolume(0, async () => {
    await withSmallVolume(1, async () => {
      const repositories = [volumeRepository, { ...volumeRepository, name: 'second-disk' }];
      const logical = { format: 'Custom', databases: { include: ['big'] } };
      const compression = { algorithm: 'none' };
      await expect(backUp(setting, backupTask(server, { repositories, logical, compression }))).rejects.toMatchObject({
        reason: 'StoreFull',
      });
      await expectNothing(volumeRepository, 0);
      await expectNothing(volumeRepository, 1);
    });
  });
});

test('a pg_dump that is killed is no failure of a repository: nothing is kept anywhere', async () => {
  const bucket = await offsite();
  const logical = { format: 'Custom', databases: { include: ['big'] } };
  const [result] = await Promise.allSettled([
    backUp(setting, backupTask(server, { repositories: [volumeRepository, bucket], logical })),
    childThatWrote(process.pid, 'pg_dump', 1_000_000, signal).then((pid) => void process.kill(pid, 'SIGKILL')),
  ]);
  expect(result).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('big') } });
  expect(result).not.toMatchObject({ reason: { reason: 'StoredInSome' } });
  await expectNothing(volumeRepository, 0);
  await expectNothing(bucket, 1);
});

describe.each([
  ['Client', 'Fetch'],
  ['Server', 'Stream'],
])('a base backup that the %s packs, with its WAL by %s', (compress, walMethod) => {
  test('is whole in both, and in one when the other is full', async () => {
    const bucket = await offsite();
    const repositories = [bucket, volumeRepository];
    const task = physicalTask(server, { compress, walMethod }, { repositories });
    const { error, reporter } = await backUpPhysically(setting, task);
    if (error !== undefined) throw error;
    const [one, other] = entriesOf(reporter.status);
    expect(one?.checksum).toBe(other?.checksum);
    await expectWhole(bucket, 0, one as Entry);
    await expectWhole(volumeRepository, 1, other as Entry);
    await withSmallVolume(1, async () => {
      const second = await backUpPhysically(setting, task);
      expect(second.error).toMatchObject({ reason: 'StoredInSome' });
      const [stored, full] = entriesOf(second.reporter.status);
      expect(full).toMatchObject({ state: 'Failed', reason: 'StoreFull' });
      await expectWhole(bucket, 0, stored as Entry);
      await expectNothing(volumeRepository, 1);
    });
  });
});

function remembering(status: Record<string, unknown>) {
  return {
    progress: () => undefined,
    facts: async (more: Readonly<Record<string, unknown>>) => void Object.assign(status, more),
    finish: async () => undefined,
  };
}
