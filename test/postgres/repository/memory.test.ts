import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';

const program = new URL('../../support/s3/upload-generated.ts', import.meta.url).pathname;

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  await server.createBucket('backups');
});
afterAll(() => server.stop());

test('2 GiB go up and down in bounded memory', async () => {
  const size = 2 * 1024 ** 3;
  const args = [program, server.endpoint, server.accessKey, server.secretKey, 'backups', String(size)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  console.log(stdout.trim());
  const { read, uploadPeak, downloadPeak } = JSON.parse(stdout);
  expect(read).toBe(size);
  expect(Math.max(uploadPeak, downloadPeak)).toBeLessThan(384);
});
