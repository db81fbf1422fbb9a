import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Failure } from '../../../src/domain/failure.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, inventory, openRepository, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask, settings } from './physical-setting.ts';
import { startRestored } from './restored-server.ts';

let server: TestServer;
let setting: Setting;
let store: Store;
let archive: WalArchive;
let archived: string;
const ending = new AbortController();

beforeAll(async () => {
  archived = await mkdtemp(join(await runFolder(), 'archived-'));
  await mkdir(archived, { recursive: true });
  await execa('chmod', ['777', archived]);
  server = await startPostgres({
    settings: {
      ...settings,
      archive_mode: 'on',
      archive_command: `cp %p ${archived}/.%f.tmp && mv ${archived}/.%f.tmp ${archived}/%f`,
    },
  });
  setting = await createSetting(server);
  store = await openRepository(setting, volumeRepository);
  const systemIdentifier = await server.psql('SELECT system_identifier FROM pg_control_system()');
  archive = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
  await server.psql('CREATE TABLE orders AS SELECT id FROM generate_series(1, 200000) id');
});

afterAll(async () => {
  ending.abort();
  await store?.close();
  await server?.stop();
  await setting?.remove();
  await rm(archived, { recursive: true, force: true });
});

/** What an archiver beside the server does. */
async function ship(signal: AbortSignal): Promise<void> {
  const done = new Set<string>();
  while (!signal.aborted) {
    for (const name of await readdir(archived)) {
      if (name.startsWith('.') || done.has(name)) continue;
      await archive.put(name, await readFile(join(archived, name)), { signal });
      done.add(name);
    }
    await delay(50, undefined, { signal }).catch(() => undefined);
  }
}

it('a backup whose WAL does not come into the archive says which segment is missing, and leaves nothing', async () => {
  const task = physicalTask(server, { walMethod: 'Archive' }, { deadlineSeconds: 4 });
  const { error, reporter } = await backUpPhysically(setting, task);
  expect(error).toMatchObject({ reason: 'EndWalNotArchived', retryable: true });
  expect((error as Failure).message).toMatch(/[0-9A-F]{24}.*local-disk.*pg_stat_archiver/s);
  expect(reporter.progressed.map(({ step }) => step)).toContainEqual(
    expect.stringMatching(/^waiting for WAL [0-9A-F]{24}/),
  );
  expect((await inventory(store)).keys).toEqual([]);
});

it('a backup is complete when its last segment is in the archive, and starts with what lies there', async () => {
  const shipping = ship(ending.signal);
  const expected = await server.psql('SELECT count(*), sum(id) FROM orders');
  const { error, outcome, reporter } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Archive' }));
  if (error !== undefined) throw error;
  expect(outcome?.reason).toBe('EndWalArchived');
  const backup = await physicalManifestOf(store, reporter.status);
  const { beginSegment, endSegment } = backup.manifest.physical;
  const signal = AbortSignal.timeout(120_000);
  expect(await archive.has(endSegment, { signal })).toBe(true);
  ending.abort();
  await shipping;
  const names = [...new Set([beginSegment, endSegment])];
  const get = async (name: string) => (await archive.get(name, { signal })) ?? Buffer.alloc(0);
  const restored = await startRestored(server, store, backup, { archived: { names, get } });
  try {
    expect(await restored.psql('SELECT count(*), sum(id) FROM orders')).toBe(expected);
  } finally {
    await restored.stop();
  }
});
