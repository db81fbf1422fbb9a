import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, type Setting } from '../backup/setting.ts';
import { settings } from './physical-setting.ts';

const mebibyte = 1024 ** 2;
/** Those of the image's entry point. */
const flags = ['--max-semi-space-size=4'];

let server: TestServer;
let setting: Setting;

beforeAll(async () => {
  server = await startPostgres({ settings: { ...settings, wal_level: 'replica', max_wal_size: '4GB' } });
  setting = await createSetting(server);
  await server.psql(`
    CREATE UNLOGGED TABLE seed AS
      SELECT i, (SELECT string_agg(encode(sha256((i * 1000 + j)::text::bytea), 'base64'), '') FROM generate_series(1, 24) j)
        FROM generate_series(1, 17000) i;
    ALTER TABLE seed SET LOGGED`);
  for (let number = 2; number <= 30; number += 1) await server.psql(`CREATE TABLE rows_${number} AS TABLE seed`);
  await server.psql('CHECKPOINT');
});

afterAll(async () => {
  await server?.stop();
  await setting?.remove();
});

it('the agent stays under 256 MiB with more than 500 MB', { timeout: 300_000 }, async () => {
  const bytes = Number(await server.psql('SELECT sum(pg_database_size(oid)) FROM pg_database'));
  expect(bytes).toBeGreaterThan(500_000_000);
  const { major, host, port, superuser, password } = server;
  const input = JSON.stringify({
    server: { major, host, port, superuser, password },
    folders: setting.folders,
    physical: { walMethod: 'Fetch' },
  });
  const { stdout } = await execa(process.execPath, [...flags, join(import.meta.dirname, 'agent-process.ts'), input]);
  const { seconds, peakBytes } = JSON.parse(stdout);
  process.stdout.write(
    `agent, physical, ${(bytes / 1e6).toFixed(0)} MB: peak RSS ${(peakBytes / mebibyte).toFixed(0)} MiB, ${seconds.toFixed(1)} s\n`,
  );
  expect(peakBytes).toBeLessThan(256 * mebibyte);
});
