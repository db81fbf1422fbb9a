import { randomUUID } from 'node:crypto';
import { readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import type { RepositoryTask, RestoreTask, Task } from '../../../src/domain/task.ts';
import { task as taskSchema } from '../../../src/domain/task.ts';
import type { Store } from '../../../src/repository/store.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  type Setting,
  s3Repository,
} from '../../postgres/backup/setting.ts';
import { physicalTask, settings } from '../../postgres/physical/physical-setting.ts';
import { type CrashPoints, startCrashPoints } from '../../support/faults/crash-points.ts';
import { killEverywhere, type Prepared } from '../../support/faults/kill-everywhere.ts';
import { chooseSeed } from '../../support/faults/random.ts';
import { bounded } from '../../support/faults.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { orphansIn, requireTrueBackups } from './repository-state.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
const rows = 'SELECT count(*), sum(i), md5(string_agg(md5, $$$$ ORDER BY i)) FROM rows';
let server: TestServer;
let s3: S3Server;
let setting: Setting;
let crash: CrashPoints;
let buckets = 0;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres({ settings }), startS3Server()]);
  setting = await createSetting(server, s3);
  crash = await startCrashPoints(s3.endpoint, server);
  await server.psql('CREATE DATABASE shop');
  await server.psql('CREATE TABLE rows AS SELECT i, md5(i::text) FROM generate_series(1, 3000) i', 'shop');
});
afterAll(async () => {
  await crash?.stop();
  await setting?.remove();
  await Promise.all([server?.stop(), s3?.stop()]);
});

interface Place {
  /** By way of the crash points. */
  readonly repository: RepositoryTask;
  readonly past: RepositoryTask;
  readonly store: Store;
  readonly bucket: string;
}

async function newPlace(): Promise<Place> {
  buckets += 1;
  const bucket = `bucket-${buckets}`;
  await s3.createBucket(bucket);
  const past = s3Repository(s3, bucket);
  return {
    bucket,
    past,
    repository: s3Repository({ ...s3, endpoint: crash.s3 }, bucket),
    store: await openRepository(setting, past),
  };
}

const removing =
  ({ store, bucket }: Place) =>
  async () => {
    await store.close();
    await rm(join(s3.folder, bucket), { recursive: true, force: true });
    // What a pod takes with it.
    for (const folder of [setting.folders.scratch, setting.folders.temporary])
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  };

const work = (task: Task) => ({ task, folders: setting.folders });
const throughPoints = () => ({ ...server, port: crash.port });

/** One that was complete before the agent could tell it stays beside the next: a backup like any other. */
const oneOrTwo = async (store: Store) => {
  const complete = await requireTrueBackups(store);
  return { enough: complete.length === 1 || complete.length === 2, orphans: await orphansIn(store) };
};

const formats = [{ format: 'Directory', jobs: 2 }, { format: 'Custom' }].slice(0, bounded(1, 2));

test.each(formats)('a logical backup, $format', async (format) => {
  const prepare = async (): Promise<Prepared> => {
    const place = await newPlace();
    const logical = { databases: { include: ['shop'] }, ...format };
    return {
      work: work(backupTask(throughPoints(), { repositories: [place.repository], logical })),
      always: async () => void (await requireTrueBackups(place.store)),
      state: () => oneOrTwo(place.store),
      remove: removing(place),
    };
  };
  await killEverywhere(`logical backup, ${format.format}`, { crash, prepare, seed });
});

test.each(['Fetch', 'Stream'].slice(0, bounded(1, 2)))('a physical backup with its WAL by %s', async (walMethod) => {
  const prepare = async (): Promise<Prepared> => {
    const place = await newPlace();
    return {
      work: work(physicalTask(throughPoints(), { walMethod }, { repositories: [place.repository] })),
      always: async () => void (await requireTrueBackups(place.store)),
      async state() {
        const slots = await server.psql('SELECT count(*) FROM pg_replication_slots');
        return { ...(await oneOrTwo(place.store)), slots };
      },
      remove: removing(place),
    };
  };
  await killEverywhere(`physical backup, ${walMethod}`, { crash, prepare, seed });
});

async function backedUp(place: Place, format = 'Custom') {
  const logical = { format, databases: { include: ['shop'] } };
  const task = backupTask(server, { repositories: [place.past], logical });
  const { reporter } = await backUp(setting, task);
  const [entry] = reporter.status.repositories as readonly { readonly path: string }[];
  return { backupID: String(reporter.status.backupID), path: entry?.path ?? '' };
}

test('the removal of a backup', async () => {
  const prepare = async (): Promise<Prepared> => {
    const place = await newPlace();
    const backup = await backedUp(place);
    const run = { name: 'orders-manual', uid: 'u' };
    return {
      work: work({ action: 'delete', namespace: 'shop', run, repositories: [place.repository], backup }),
      always: async () => void (await requireTrueBackups(place.store)),
      state: async () => Array.fromAsync(place.store.list('', { signal: AbortSignal.timeout(120_000) })),
      remove: removing(place),
    };
  };
  await killEverywhere('removal', { crash, prepare, seed });
});

test('a copy', async () => {
  const from = await newPlace();
  const { backupID, path } = await backedUp(from);
  const prepare = async (): Promise<Prepared> => {
    const to = await newPlace();
    return {
      work: work({
        action: 'copy',
        namespace: 'shop',
        repositories: [to.repository, { ...from.past, name: 'source' }],
        source: { namespace: 'shop', policy: 'orders' },
        backups: [backupID],
        wal: false,
        deadlineSeconds: 600,
      }),
      always: async () => void (await requireTrueBackups(to.store)),
      state: async () => ({ complete: await requireTrueBackups(to.store), orphans: await orphansIn(to.store) }),
      remove: removing(to),
    };
  };
  await killEverywhere('copy', { crash, prepare, seed });
  expect(await requireTrueBackups(from.store)).toEqual([path]);
  await removing(from)();
});

const restores = [
  // Through a pipe, that ends when the agent is killed.
  ['Tar', 'Replace'],
  ['Custom', 'Replace'],
  ['Custom', 'Fail'],
] as const;

test.each(restores.slice(0, bounded(1, 3)))('a restore of a %s, onConflict: %s', async (format, onConflict) => {
  const from = await newPlace();
  const { backupID } = await backedUp(from, format);
  const expected = await server.psql(rows, 'shop');
  const databases = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database";
  const before = await server.psql(databases);
  const prepare = async (): Promise<Prepared> => {
    if (onConflict === 'Replace') {
      await server.psql('CREATE DATABASE target');
      await server.psql('CREATE TABLE old AS SELECT 1 AS one', 'target');
    }
    return {
      work: work(restoreTask(s3Repository({ ...s3, endpoint: crash.s3 }, from.bucket), backupID, onConflict)),
      async always() {
        // Under its name there is the old database, or the new one whole, or none: never half of one.
        const there = (await server.psql(databases)).split(' ').includes('target');
        if (!there) return;
        const isOld = (await server.psql("SELECT to_regclass('old') IS NOT NULL", 'target')) === 't';
        if (!isOld) expect(await server.psql(rows, 'target')).toBe(expected);
      },
      refusal: onConflict === 'Fail' ? 'TargetExists' : 'none',
      // What was replaced is kept where nobody knows any more that it may go.
      state: async () => [
        (await server.psql(databases)).replaceAll(/ target_before_\w+/g, ''),
        await server.psql(rows, 'target'),
      ],
      async remove() {
        const names = (await server.psql(databases)).split(' ').filter((name) => !before.split(' ').includes(name));
        for (const name of names) await server.psql(`DROP DATABASE "${name}" WITH (FORCE)`);
      },
    };
  };
  await killEverywhere(`restore, ${format}, onConflict: ${onConflict}`, {
    crash,
    prepare,
    seed,
    around: /ALTER DATABASE|RENAME/,
  });
  await removing(from)();
});

test('the unfinished database of a killed restore goes with a later one, when nobody can be at work on it', async () => {
  const from = await newPlace();
  const { backupID } = await backedUp(from);
  const ask = (killAt?: number) => {
    const task = restoreTask(s3Repository({ ...s3, endpoint: crash.s3 }, from.bucket), backupID, 'Replace');
    return crash.run({ ...work(task), ...(killAt === undefined ? {} : { killAt }) });
  };
  const names = async () =>
    (await server.psql("SELECT datname FROM pg_database WHERE datname LIKE 'tidemark%'")).split('\n').filter(Boolean);
  const { points } = await ask();
  expect((await ask(points.findIndex((what) => /COPY|CREATE TABLE/.test(what)))).killed).toBe(true);
  const [left = ''] = await names();
  expect(left).toMatch(/^tidemark_restore_/);
  expect((await ask()).outcome).toBeDefined();
  expect(await names(), 'it might be somebody’s at work').toEqual([left]);
  const oid = await server.psql(`SELECT oid FROM pg_database WHERE datname = '${left}'`);
  const yesterday = new Date(Date.now() - 26 * 3_600_000);
  await utimes(join(server.dataFolder, 'base', oid, 'PG_VERSION'), yesterday, yesterday);
  expect((await ask()).outcome).toBeDefined();
  expect(await names()).toEqual([]);
  await server.psql('DROP DATABASE target WITH (FORCE)');
  await removing(from)();
});

function restoreTask(repository: RepositoryTask, backup: string, onConflict: string): RestoreTask {
  const asked = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: repository.name }, backupID: backup } },
    target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
    databases: [{ name: 'shop', targetName: 'target', onConflict }],
  });
  return taskSchema.parse({
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid: randomUUID() },
    repository,
    backup: { backupID: backup },
    server: {
      hosts: [server.host],
      port: crash.port,
      database: 'postgres',
      role: 'Primary',
      credentialsSecretName: 'admin',
    },
    restore: asked,
  }) as RestoreTask;
}
