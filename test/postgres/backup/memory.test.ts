import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { createSetting, type Setting } from './setting.ts';

const mebibyte = 1024 ** 2;

let server: TestServer;
let s3: S3Server;
let setting: Setting;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
  await s3.createBucket('backups');
  setting = await createSetting(server, s3);
  // Text that barely packs, so that as many bytes go to the store as come from the server.
  await server.psql(`
    CREATE UNLOGGED TABLE rows AS
      SELECT i, (SELECT string_agg(encode(sha256((i * 1000 + j)::text::bytea), 'base64'), '') FROM generate_series(1, 24) j)
        FROM generate_series(1, 500000) i`);
});

afterAll(async () => {
  await Promise.all([server?.stop(), s3?.stop()]);
  await setting?.remove();
});

test.each([{ format: 'Custom' }, { format: 'Directory', jobs: 2 }])(
  'the agent stays under 256 MiB with more than 500 MB in $format format',
  { timeout: 300_000 },
  async (logical) => {
    const bytes = Number(await server.psql('SELECT pg_database_size(current_database())'));
    expect(bytes).toBeGreaterThan(500_000_000);
    const { major, host, port, superuser, password } = server;
    const input = JSON.stringify({
      server: { major, host, port, superuser, password },
      s3,
      folders: setting.folders,
      logical,
    });
    const { stdout } = await execa(process.execPath, [join(import.meta.dirname, 'agent-process.ts'), input]);
    const { seconds, peakBytes } = JSON.parse(stdout);
    process.stdout.write(
      `agent, ${logical.format} into S3, ${(bytes / 1e6).toFixed(0)} MB database: peak RSS ${(peakBytes / mebibyte).toFixed(0)} MiB, ${seconds.toFixed(1)} s\n`,
    );
    expect(peakBytes).toBeLessThan(256 * mebibyte);
  },
);
