import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from '../../bench/bundle.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { createSetting, type Setting } from './setting.ts';

const mebibyte = 1024 ** 2;
/** Those of the image's entry point: buffers of a stream are short-lived, and a small young generation frees them soon. */
const flags = ['--max-semi-space-size=4'];

let server: TestServer;
let s3: S3Server;
let setting: Setting;
let folder: string;
/** As an image holds it: Node's own reader of TypeScript would take a fifth of what is measured. */
let program: string;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
  for (const bucket of ['backups', 'second']) await s3.createBucket(bucket);
  setting = await createSetting(server, s3);
  folder = await mkdtemp(join(tmpdir(), 'tidemark-memory-'));
  program = await bundle(join(import.meta.dirname, 'agent-process.ts'), folder);
  // Text that barely packs, so that as many bytes go to the store as come from the server.
  await server.psql(`
    CREATE UNLOGGED TABLE rows_1 AS
      SELECT i, (SELECT string_agg(encode(sha256((i * 1000 + j)::text::bytea), 'base64'), '') FROM generate_series(1, 24) j)
        FROM generate_series(1, 17000) i`);
  for (let number = 2; number <= 26; number += 1) {
    await server.psql(`CREATE UNLOGGED TABLE rows_${number} AS TABLE rows_1`);
  }
});

afterAll(async () => {
  await Promise.all([server?.stop(), s3?.stop()]);
  await setting?.remove();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  { format: 'Custom', buckets: ['backups'] },
  { format: 'Plain', buckets: ['backups'] },
  { format: 'Directory', jobs: 2, buckets: ['backups'] },
  { format: 'Custom', buckets: ['backups', 'second'] },
])(
  'the agent stays within bounds with more than 500 MB in $format format into $buckets',
  { timeout: 300_000 },
  async ({ buckets, ...logical }) => {
    const bytes = Number(await server.psql('SELECT pg_database_size(current_database())'));
    expect(bytes).toBeGreaterThan(500_000_000);
    const { major, host, port, superuser, password } = server;
    const input = JSON.stringify({
      server: { major, host, port, superuser, password },
      s3,
      folders: setting.folders,
      logical,
      buckets,
    });
    const running = execa(process.execPath, [...flags, program, input]);
    const peakScratch = await highest(setting.folders.scratch, running);
    const { seconds, peakBytes } = JSON.parse((await running).stdout);
    process.stdout.write(
      `agent, ${logical.format} into ${buckets.length} of S3, ${(bytes / 1e6).toFixed(0)} MB database: peak RSS ${(peakBytes / mebibyte).toFixed(0)} MiB, peak scratch ${(peakScratch / mebibyte).toFixed(0)} MiB, ${seconds.toFixed(1)} s\n`,
    );
    expect(peakBytes).toBeLessThan((buckets.length > 1 ? 320 : 256) * mebibyte);
    // What is finished leaves while the rest is dumped.
    expect(peakScratch).toBeLessThan(logical.format === 'Directory' ? bytes * 0.9 : 64 * 1024);
  },
);

/** The most bytes that lay in a folder while a process ran. */
async function highest(folder: string, running: Promise<unknown>): Promise<number> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  running.then(end, end);
  let peak = 0;
  while (!ended) {
    const files = await readdir(folder, { recursive: true });
    const sizes = await Promise.all(
      files.map((file) =>
        stat(join(folder, file)).then(
          (found) => (found.isFile() ? found.size : 0),
          () => 0,
        ),
      ),
    );
    peak = Math.max(
      peak,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    await delay(50);
  }
  return peak;
}
