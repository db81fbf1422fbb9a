import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelled } from '../../../src/agent/report-of.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { childThatWrote } from './processes.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  leftovers,
  openRepository,
  type Setting,
  s3Repository,
  type TaskOptions,
  volumeRepository,
} from './setting.ts';

let server: TestServer;
let s3: S3Server;
let setting: Setting;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
  await s3.createBucket('backups');
  await server.psql('CREATE DATABASE big');
  // Large enough that a dump of it can be caught in the act.
  await server.psql(
    'CREATE UNLOGGED TABLE rows AS SELECT i, repeat(md5(i::text), 16) FROM generate_series(1, 400000) i',
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

const both = () => [s3Repository(s3, 'backups'), volumeRepository];

/** Nothing of the attempt stays anywhere: not a key, not an upload, not a file. */
async function expectNothingLeft(): Promise<void> {
  for (const [index, repository] of both().entries()) {
    const store = await openRepository(setting, repository, index);
    expect(await inventory(store)).toEqual({ backups: [], keys: [] });
    expect(await store.sweepUnfinished('', new Date(8.64e15), { signal: AbortSignal.timeout(120_000) })).toBe(0);
    await store.close();
  }
  expect(await leftovers(setting)).toEqual([]);
}

describe.each([{ format: 'Custom' }, { format: 'Directory', jobs: 2 }])(
  'half-way through a dump in $format format',
  (logical) => {
    const task = () =>
      backupTask(server, { repositories: both(), logical: { ...logical, databases: { include: ['big'] } } });
    const caught = async (act: (pid: number) => void | Promise<void>, program = 'pg_dump') => {
      const signal = AbortSignal.timeout(120_000);
      const leader = await childThatWrote(process.pid, 'pg_dump', 0, signal);
      const pid = logical.format === 'Custom' ? leader : await childThatWrote(leader, program, 1_000_000, signal);
      if (logical.format === 'Custom') await childThatWrote(process.pid, program, 1_000_000, signal);
      await act(pid);
    };

    test('a pg_dump that is killed leaves nothing, and is named', async () => {
      const [result] = await Promise.allSettled([
        backUp(setting, task()),
        caught((pid) => void process.kill(pid, 'SIGKILL')),
      ]);
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { retryable: true, message: expect.stringContaining('big') },
      });
      await expectNothingLeft();
    });

    test('a server that ends the connection leaves nothing', async () => {
      const [result] = await Promise.allSettled([
        backUp(setting, task()),
        caught(
          async () =>
            void (await server.psql(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark' AND query LIKE 'COPY%'",
            )),
        ),
      ]);
      expect(result).toMatchObject({ status: 'rejected', reason: { retryable: true } });
      await expectNothingLeft();
    });

    test('a pod that is told to stop leaves nothing, and says that it was cancelled', async () => {
      const stopping = new AbortController();
      const [result] = await Promise.allSettled([
        backUp(setting, task(), { signal: stopping.signal }),
        caught(() => stopping.abort(cancelled())),
      ]);
      expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'Cancelled' } });
      await expectNothingLeft();
    });
  },
);

test('a repository that fails leaves the backup to the other, and the run is a failure that says so', async () => {
  const missing = s3Repository(s3, 'no-such-bucket');
  await expect(
    backUp(setting, backupTask(server, { repositories: [volumeRepository, { ...missing, name: 'second' }] })),
  ).rejects.toMatchObject({
    reason: 'StoredInSome',
    retryable: false,
    message: expect.stringContaining('second does not have it'),
  });
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).backups).toMatchObject([{ complete: true }]);
});

test('what a dead attempt left is swept by the next one', async () => {
  const store = await openRepository(setting, volumeRepository);
  const folder = 'shop/orders/7000000000000000001/backups/20260101T000000Z-logical';
  const signal = AbortSignal.timeout(120_000);
  const started = {
    format: 1,
    backupID: '20260101T000000Z-logical',
    run: 'old',
    jobName: 'old',
    pod: 'old-1',
    startTime: '2026-01-01T00:00:00.000Z',
    deadlineSeconds: 60,
  };
  await store.put(`${folder}/started.json`, Buffer.from(JSON.stringify(started)), { ifAbsent: true, signal });
  await store.put(`${folder}/databases/x/dump.custom.zst`, Buffer.from('half'), { ifAbsent: true, signal });
  await backUp(setting, backupTask(server, { logical: { databases: { include: ['postgres'] } } }));
  const { backups, keys } = await inventory(store);
  expect(backups).toMatchObject([{ complete: true }]);
  expect(keys.filter((key) => key.includes('20260101'))).toEqual([]);
});

describe('bad input is a reason and a sentence that says what to do', () => {
  const refused: readonly (readonly [string, () => TaskOptions, object])[] = [
    [
      'an unknown host',
      () => ({ server: { hosts: ['no-such-host.invalid'] } }),
      { reason: 'HostNotFound', message: expect.stringContaining('no-such-host.invalid') },
    ],
    [
      'a port where nothing listens',
      () => ({ server: { port: 1 } }),
      { reason: 'ConnectionRefused', message: expect.stringContaining('listen_addresses') },
    ],
    [
      'a maintenance database that does not exist',
      () => ({ server: { database: 'nowhere' } }),
      { reason: 'DatabaseNotFound', retryable: false, message: expect.stringContaining('nowhere') },
    ],
    [
      'a database in the list that does not exist',
      () => ({ logical: { databases: { include: ['*', 'nowhere'] } } }),
      { reason: 'DatabaseNotFound', retryable: false, message: expect.stringContaining('nowhere') },
    ],
    [
      'patterns that match no database',
      () => ({ logical: { databases: { include: ['zz*'] } } }),
      { reason: 'NothingToBackUp', retryable: false },
    ],
    [
      'a table that does not exist',
      () => ({ logical: { databases: { include: ['big'] }, tables: { include: ['nowhere'] } } }),
      { reason: 'NothingMatches', retryable: false, message: expect.stringContaining('big') },
    ],
    [
      'an argument that pg_dump does not know',
      () => ({ logical: { extraArgs: ['--frobnicate'] } }),
      { reason: 'BadArgument', retryable: false, message: expect.stringContaining('frobnicate') },
    ],
    [
      'TLS of a server that has none',
      () => ({ server: { tls: { mode: 'require' } } }),
      { reason: 'TlsRefused', retryable: false },
    ],
    [
      'a missing certificate authority',
      () => ({ server: { tls: { mode: 'verify-full', caSecretRef: { name: 'db-ca', key: 'ca.crt' } } } }),
      { reason: 'MissingSecret', message: expect.stringContaining('Secret shop/db-ca') },
    ],
    [
      'a read-only repository',
      () => ({ repositories: [{ ...volumeRepository, spec: { ...volumeRepository.spec, accessMode: 'ReadOnly' } }] }),
      { reason: 'ReadOnlyRepository', retryable: false },
    ],
  ];

  test.each(refused)('%s', async (_, options, expected) => {
    await expect(backUp(setting, backupTask(server, options()))).rejects.toMatchObject(expected);
    await expectNothingLeft();
  });

  test('a wrong password', async () => {
    await setting.setCredentials('postgres', 'wrong');
    await expect(backUp(setting, backupTask(server))).rejects.toMatchObject({
      reason: 'WrongPassword',
      retryable: false,
      message: expect.stringContaining('Secret shop/orders-db-backup'),
    });
    await expectNothingLeft();
  });

  test.each(['username', 'password'])('a Secret without the key %s', async (key) => {
    await rm(join(setting.folders.mountRoot, mounts.credentials, key));
    await expect(backUp(setting, backupTask(server))).rejects.toMatchObject({
      reason: 'MissingSecret',
      retryable: false,
      message: expect.stringMatching(
        new RegExp(`Secret shop/orders-db-backup has no key ${key}.*kubectl -n shop create secret`),
      ),
    });
  });

  test('a role that may not read a table is told which, and the GRANT', async () => {
    await server.psql("CREATE ROLE reader LOGIN PASSWORD 'pw'");
    await setting.setCredentials('reader', 'pw');
    await expect(
      backUp(setting, backupTask(server, { logical: { databases: { include: ['big'] } } })),
    ).rejects.toMatchObject({
      reason: 'PermissionDenied',
      retryable: false,
      message: expect.stringMatching(
        /GRANT SELECT ON TABLE public\.(rows|more) TO "reader"; or GRANT pg_read_all_data/,
      ),
    });
    await expectNothingLeft();
  });

  test('row-level security that would hide rows is a failure, not a smaller backup', async () => {
    await server.psql("CREATE ROLE tenant LOGIN PASSWORD 'pw'; CREATE DATABASE guarded");
    await server.psql(
      'CREATE TABLE secret AS SELECT 1 AS one; ALTER TABLE secret ENABLE ROW LEVEL SECURITY; GRANT SELECT ON secret TO tenant',
      'guarded',
    );
    await setting.setCredentials('tenant', 'pw');
    await expect(
      backUp(setting, backupTask(server, { logical: { databases: { include: ['guarded'] } } })),
    ).rejects.toMatchObject({
      reason: 'RowSecurity',
      retryable: false,
      message: expect.stringMatching(/table public\.secret.*ALTER ROLE "tenant" BYPASSRLS/),
    });
    await server.psql('DROP DATABASE guarded');
  });

  test('scratch that cannot be written to', async () => {
    await rm(setting.folders.scratch, { recursive: true });
    await writeFile(setting.folders.scratch, '');
    await expect(backUp(setting, backupTask(server, { logical: { format: 'Directory' } }))).rejects.toMatchObject({
      reason: 'ScratchUnavailable',
    });
    await rm(setting.folders.scratch);
  });
});
