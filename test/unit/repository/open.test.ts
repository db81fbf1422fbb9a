import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { openStore } from '../../../src/repository/open.ts';

let mountRoot: string;
beforeEach(async () => {
  mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-mounts-'));
});
afterEach(() => rm(mountRoot, { recursive: true, force: true }));

const open = (spec: unknown) =>
  openStore({ name: 'offsite', spec: backupRepositorySpec.parse(spec) }, 0, { mountRoot });
const s3 = { bucket: 'backups', endpoint: 'https://s3.example.org', credentialsSecretRef: { name: 'store' } };
const mountSecret = async (files: Readonly<Record<string, string>>) => {
  const folder = mountRoot + mounts.repository.credentials(0);
  await mkdir(folder, { recursive: true });
  for (const [key, value] of Object.entries(files)) await writeFile(join(folder, key), value);
};

test('opens an S3 repository with the mounted credentials', async () => {
  await mountSecret({ AWS_ACCESS_KEY_ID: 'id\n', AWS_SECRET_ACCESS_KEY: 'secret\n' });
  const store = await open({ s3: { ...s3, prefix: 'prod/eu' } });
  expect(store.description).toBe('s3://backups/prod/eu');
  await store.close();
});

test('opens a volume', async () => {
  const store = await open({ volume: { claimName: 'offsite' } });
  expect(store.description).toBe('the volume of offsite, tidemark');
});

test('a missing Secret, and a missing key of it, are told with their names', async () => {
  await expect(open({ s3 })).rejects.toMatchObject({
    reason: 'CredentialsMissing',
    retryable: false,
    message: expect.stringMatching(/Secret store .* AWS_ACCESS_KEY_ID/),
  });
  await mountSecret({ AWS_ACCESS_KEY_ID: 'id' });
  await expect(open({ s3 })).rejects.toMatchObject({
    message: expect.stringMatching(/Secret store .* AWS_SECRET_ACCESS_KEY/),
  });
});

test('a missing certificate authority is told with its Secret and key', async () => {
  await mountSecret({ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' });
  await expect(open({ s3: { ...s3, caBundleSecretRef: { name: 'ca', key: 'ca.crt' } } })).rejects.toMatchObject({
    reason: 'CertificateMissing',
    message: expect.stringMatching(/Secret ca .* ca\.crt/),
  });
});

test.each([
  ['azureBlob', { azureBlob: { container: 'backups' } }],
  ['googleCloudStorage', { googleCloudStorage: { bucket: 'backups' } }],
  ['rclone', { rclone: { remote: 'offsite:backups', configSecretRef: { name: 'rclone', key: 'rclone.conf' } } }],
])('%s is refused as not implemented', async (what, spec) => {
  await expect(open(spec)).rejects.toMatchObject({
    reason: 'NotImplemented',
    retryable: false,
    message: expect.stringContaining(what),
  });
});
