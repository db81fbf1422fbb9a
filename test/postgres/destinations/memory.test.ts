import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { mounts } from '../../../src/domain/mounts.ts';
import { destinations } from '../../support/destinations.ts';

const program = new URL('move-generated.ts', import.meta.url).pathname;
const size = 288 * 1024 ** 2;

test.each(destinations)('288 MiB go up and down in bounded memory: $name', async ({ name, start }) => {
  const place = await start();
  onTestFinished(place.stop);
  const root = await mkdtemp(join(tmpdir(), 'tidemark-mounts-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const secret = root + mounts.repository.credentials(0);
  await mkdir(secret, { recursive: true });
  for (const [key, value] of Object.entries(place.secret)) await writeFile(join(secret, key), value);
  const args = [program, JSON.stringify(place.spec), root, String(size)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  console.log(name, stdout.trim());
  const { read, idle, uploadPeak, downloadPeak } = JSON.parse(stdout);
  expect(read).toBe(size);
  expect(Math.max(uploadPeak, downloadPeak) - idle).toBeLessThan(200);
});
