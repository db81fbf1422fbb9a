import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../../src/repository/store.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, inventory, openRepository, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask, settings } from './physical-setting.ts';
import { startRestored } from './restored-server.ts';

let server: TestServer;
let setting: Setting;
let store: Store;

const rows = 'SELECT count(*), sum(id), md5(string_agg(body, $$$$ ORDER BY id)) FROM orders';
const elsewhere = 'SELECT count(*), sum(id) FROM elsewhere';

beforeAll(async () => {
  server = await startPostgres({ settings });
  setting = await createSetting(server);
  store = await openRepository(setting, volumeRepository);
  const place = join(dirname(server.dataFolder), 'elsewhere');
  await mkdir(place);
  await execa('chown', ['--reference', server.dataFolder, place]);
  await server.psql(
    'CREATE TABLE orders AS SELECT id, repeat(md5(id::text), 4) AS body FROM generate_series(1, 400000) id',
  );
  await server.psql(`CREATE TABLESPACE elsewhere LOCATION '${place}'`);
  await server.psql('CREATE TABLE elsewhere TABLESPACE elsewhere AS SELECT id FROM generate_series(1, 1000) id');
});

afterAll(async () => {
  await store?.close();
  await server?.stop();
  await setting?.remove();
});

it.each(['Fetch', 'Stream'])(
  'a backup with its WAL by %s starts as a server with every row, also of a tablespace',
  async (walMethod) => {
    const expected = [await server.psql(rows), await server.psql(elsewhere)];
    const { outcome, error, reporter } = await backUpPhysically(setting, physicalTask(server, { walMethod }));
    if (error !== undefined) throw error;
    expect(outcome?.reason).toBe('BackupStored');
    const backup = await physicalManifestOf(store, reporter.status);
    const { physical } = backup.manifest;
    expect(physical.chunks.length).toBeGreaterThan(3);
    expect(physical.chunks.filter(({ tablespace }) => tablespace !== undefined)).toHaveLength(1);
    expect(physical.wal.length).toBeGreaterThan(walMethod === 'Stream' ? 0 : -1);
    const restored = await startRestored(server, store, backup);
    try {
      expect([await restored.psql(rows), await restored.psql(elsewhere)]).toEqual(expected);
    } finally {
      await restored.stop();
    }
  },
);

it('tells a status that the API takes, and a manifest with all that a recovery needs', async () => {
  const { reporter } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Fetch' }));
  const { manifest } = await physicalManifestOf(store, reporter.status);
  const { physical } = manifest;
  expect(reporter.status.wal).toEqual({
    beginLSN: physical.beginLSN,
    endLSN: physical.endLSN,
    beginSegment: physical.beginSegment,
    endSegment: physical.endSegment,
  });
  expect(physical).toMatchObject({ segmentSize: 16 * 1024 ** 2, dataDirectory: server.dataFolder, timeline: 1 });
  expect(physical.owner.uid).toBe(Number((await execa('stat', ['-c', '%u', server.dataFolder])).stdout));
  expect(physical.settings).toMatchObject({
    max_wal_senders: '4',
    wal_level: 'replica',
    bootstrap_superuser: 'postgres',
  });
  expect(manifest.size.source).toBe(physical.chunks.reduce((sum, { bytes }) => sum + bytes, 0));
  expect((await inventory(store)).keys.filter((key) => key.endsWith('backup_manifest.zst')).length).toBeGreaterThan(0);
});
