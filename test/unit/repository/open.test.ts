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

const azureBlob = { container: 'backups', prefix: 'prod', credentialsSecretRef: { name: 'store' } };
const googleCloudStorage = { bucket: 'backups', prefix: 'prod', credentialsSecretRef: { name: 'store' } };
const rclone = { remote: 'offsite:backups', configSecretRef: { name: 'store', key: 'rclone.conf' } };
const account = { type: 'service_account', client_email: 'a@b.example', private_key: '-----BEGIN PRIVATE KEY-----' };

test.each<[string, object, Readonly<Record<string, string>>, string]>([
  [
    'a connection string',
    { azureBlob },
    { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=a;AccountKey=c2VjcmV0' },
    'azure:',
  ],
  ['an account and its key', { azureBlob }, { AZURE_STORAGE_ACCOUNT: 'a', AZURE_STORAGE_KEY: 'c2VjcmV0' }, 'azure:'],
  [
    'an account and a SAS token',
    { azureBlob },
    { AZURE_STORAGE_ACCOUNT: 'a', AZURE_STORAGE_SAS_TOKEN: '?sv=1' },
    'azure:',
  ],
  ['a service account', { googleCloudStorage }, { 'service-account.json': JSON.stringify(account) }, 'gs:'],
])('opens a repository with %s', async (_, spec, files, scheme) => {
  await mountSecret(files);
  const store = await open(spec);
  expect(store.description).toBe(`${scheme}//backups/prod`);
  await store.close();
});

test('opens a remote of rclone, and does not start it before it is asked for something', async () => {
  await mountSecret({ 'rclone.conf': '[offsite]\ntype = sftp' });
  const store = await open({ rclone });
  expect(store.description).toBe('the rclone remote offsite:backups');
  await store.close();
});

test.each<[string, object, Readonly<Record<string, string>>, RegExp]>([
  ['azureBlob without anything', { azureBlob }, {}, /Secret store .* AZURE_STORAGE_CONNECTION_STRING/],
  ['azureBlob without a key', { azureBlob }, { AZURE_STORAGE_ACCOUNT: 'a' }, /AZURE_STORAGE_KEY/],
  [
    'azureBlob with half a key',
    { azureBlob },
    { AZURE_STORAGE_ACCOUNT: 'a', AZURE_STORAGE_KEY: 'not base64' },
    /Base64/,
  ],
  [
    'azureBlob, half a connection string',
    { azureBlob },
    { AZURE_STORAGE_CONNECTION_STRING: 'change-me' },
    /AccountName/,
  ],
  [
    'azureBlob by identity, without an account',
    { azureBlob: { container: 'backups' } },
    {},
    /spec\.azureBlob\.endpoint/,
  ],
  ['googleCloudStorage', { googleCloudStorage }, {}, /Secret store .* service-account\.json/],
  ['googleCloudStorage, no JSON', { googleCloudStorage }, { 'service-account.json': 'change-me' }, /JSON key/],
  ['rclone', { rclone }, {}, /Secret store .* rclone\.conf/],
])('%s: what is missing is told with its Secret, and no value of it', async (_, spec, files, words) => {
  await mountSecret(files);
  const failure = await open(spec).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    reason: 'CredentialsMissing',
    retryable: false,
    message: expect.stringMatching(words),
  });
  expect(String(failure)).not.toContain('not base64');
});

test('a missing certificate authority is told with its Secret and key', async () => {
  await mountSecret({ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' });
  await expect(open({ s3: { ...s3, caBundleSecretRef: { name: 'ca', key: 'ca.crt' } } })).rejects.toMatchObject({
    reason: 'CertificateMissing',
    message: expect.stringMatching(/Secret ca .* ca\.crt/),
  });
});
