import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  openRepository,
  type Setting,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import {
  backUpPhysically,
  physicalManifestOf,
  physicalTask,
  settings,
} from '../../postgres/physical/physical-setting.ts';
import { type Breakable, startBreakable } from './breakable.ts';

let server: Breakable;
let setting: Setting;

beforeAll(async () => {
  server = await startBreakable({ settings });
  setting = await createSetting(server);
  await server.psql(
    'CREATE TABLE sound AS SELECT 1 AS one; CREATE TABLE orders AS SELECT i FROM generate_series(1, 10000) i',
  );
  const file = await server.psql("SELECT pg_relation_filepath('orders')");
  await server.shutDown();
  const handle = await open(join(server.dataFolder, file), 'r+');
  await handle.write(Buffer.alloc(24, 0x5a), 0, 24, 8192);
  await handle.close();
  await server.start();
});

afterAll(async () => {
  await server?.stop();
  await setting?.remove();
});

test('without data checksums, a page that is no page ends a dump, with its file, and nothing of it is kept', async () => {
  await expect(backUp(setting, backupTask(server))).rejects.toMatchObject({
    reason: 'DataCorrupted',
    retryable: false,
    message: expect.stringMatching(/Keep your earlier backups.*invalid page in block 1 of relation base\//),
  });
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
});

test('without data checksums, a base backup cannot see it, and its manifest says that nobody looked', async () => {
  const { error, reporter } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Fetch' }));
  expect(error).toBeUndefined();
  const store = await openRepository(setting, volumeRepository);
  expect((await physicalManifestOf(store, reporter.status)).manifest.physical.dataChecksums).toBe(false);
  await store.close();
});
