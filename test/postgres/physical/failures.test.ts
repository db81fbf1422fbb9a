import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { baseObjects } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { Store } from '../../../src/repository/store.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, inventory, openRepository, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask, settings } from './physical-setting.ts';

let server: TestServer;
let setting: Setting;
let store: Store;

beforeAll(async () => {
  server = await startPostgres({
    settings,
    hba: 'local all all scram-sha-256\nhost all all all scram-sha-256\nhost replication postgres,plain all scram-sha-256\n',
  });
  setting = await createSetting(server);
  store = await openRepository(setting, volumeRepository);
  await server.psql("CREATE ROLE plain LOGIN PASSWORD 'plain'; CREATE ROLE shut LOGIN REPLICATION PASSWORD 'shut'");
});

afterAll(async () => {
  await store?.close();
  await server?.stop();
  await setting?.remove();
});

async function failAs(username: string, password: string, physical: object) {
  await setting.setCredentials(username, password);
  try {
    return (await backUpPhysically(setting, physicalTask(server, physical))).error;
  } finally {
    await setting.setCredentials(server.superuser, server.password);
  }
}

it('a role without the attribute REPLICATION is told how to get it', async () => {
  const error = await failAs('plain', 'plain', { walMethod: 'Fetch' });
  expect(error).toMatchObject({ reason: 'PermissionDenied', retryable: false });
  expect(String(error)).toContain('ALTER ROLE "plain" REPLICATION;');
  expect((await inventory(store)).keys).toEqual([]);
});

it('a missing line in pg_hba.conf is told as the line to add', async () => {
  const error = await failAs('shut', 'shut', { walMethod: 'Stream' });
  expect(error).toMatchObject({ reason: 'AccessRefused', retryable: false });
  expect(String(error)).toContain('host replication "shut"');
});

it('a backup whose WAL nobody archives is not begun', async () => {
  const error = await failAs(server.superuser, server.password, { walMethod: 'Archive' });
  expect(error).toMatchObject({ reason: 'WalNotArchived', retryable: false });
  expect((await inventory(store)).keys).toEqual([]);
});

it('an abort in the middle leaves nothing behind', async () => {
  const stopping = new AbortController();
  const { error } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Stream', maxRate: '1M' }), {
    signal: stopping.signal,
    log: {
      info: (_: unknown, message?: string) => {
        if (message === 'the base backup begins') stopping.abort(new Error('enough'));
      },
      warn: () => undefined,
      error: () => undefined,
    },
  });
  expect(error).toMatchObject({ message: 'enough' });
  expect((await inventory(store)).keys).toEqual([]);
});

it('a damaged page ends the backup and names its file', async () => {
  const damaged = await startPostgres({ settings, dataChecksums: true });
  const own = await createSetting(damaged);
  try {
    await damaged.psql('CREATE TABLE orders AS SELECT id FROM generate_series(1, 10000) id; CHECKPOINT');
    const file = await damaged.psql("SELECT pg_relation_filepath('orders')");
    const handle = await open(join(damaged.dataFolder, file), 'r+');
    await handle.write(Buffer.alloc(16, 0x5a), 0, 16, 8192 + 4000);
    await handle.close();
    const { error } = await backUpPhysically(own, physicalTask(damaged, { walMethod: 'Fetch' }));
    expect(error).toMatchObject({ reason: 'PageChecksumFailure', retryable: false });
    expect(String(error)).toContain(file);
    const repository = await openRepository(own, volumeRepository);
    expect((await inventory(repository)).keys).toEqual([]);
    await repository.close();
  } finally {
    await damaged.stop();
    await own.remove();
  }
});

it('a repository that is full ends the backup, says so, and has nothing of it afterwards', async () => {
  const own = await createSetting(server);
  const volume = join(own.folders.mountRoot, mounts.repository.volume(0));
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', volume]);
  try {
    const { error, reporter } = await backUpPhysically(own, physicalTask(server, { walMethod: 'Fetch' }));
    expect(error).toMatchObject({ reason: 'StoreFull' });
    expect(String(error)).toContain('Enlarge the claim backups, or remove backups.');
    expect(reporter.status).toMatchObject({ repositories: [{ name: 'local-disk', state: 'Failed' }] });
    const repository = await openRepository(own, volumeRepository);
    expect((await inventory(repository)).keys).toEqual([]);
    await repository.close();
  } finally {
    await execa('umount', [volume]);
    await own.remove();
  }
});

it('two that begin at once are two backups, and neither takes anything from the other', async () => {
  const own = await createSetting(server);
  try {
    const backUp = (run: string) =>
      backUpPhysically(own, physicalTask(server, { walMethod: 'Stream' }), {
        attempt: { run, jobName: run, pod: `${run}-1` },
        // Each sees that the other's run is not over.
        runState: async () => 'active',
      });
    const both = await Promise.all([backUp('one'), backUp('other')]);
    expect(both.map(({ error }) => error)).toEqual([undefined, undefined]);
    const repository = await openRepository(own, volumeRepository);
    const manifests = await Promise.all(both.map(({ reporter }) => physicalManifestOf(repository, reporter.status)));
    expect(new Set(manifests.map(({ path }) => path)).size).toBe(2);
    const { keys } = await inventory(repository);
    for (const { manifest, path } of manifests) {
      for (const { path: object } of baseObjects(manifest.physical)) expect(keys).toContain(`${path}/${object}`);
    }
    await repository.close();
  } finally {
    await own.remove();
  }
});
