import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import { type Answer, type FaultyServer, type SeenRequest, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { startS3Server } from '../../support/s3/server.ts';

// What each field of spec.s3 makes of the requests, by a server that writes them down.
const { signal } = new AbortController();
const options = { signal };
let mountRoot: string;
let server: FaultyServer;
const stores: Store[] = [];
beforeEach(async () => {
  mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-mounts-'));
  server = await startFaultyServer(asStore());
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  for (const each of stores.splice(0)) await each.close();
  await server.stop();
  await rm(mountRoot, { recursive: true, force: true });
});

/** As much of S3 as an upload of two parts needs: an object is there once its upload is finished. */
function asStore(): (request: SeenRequest) => Answer {
  let stored = 0;
  return ({ method, query, body }) => {
    if (method === 'HEAD')
      return stored > 0 ? { status: 200, headers: { 'content-length': String(stored) } } : { status: 404 };
    if (method === 'POST' && query.has('uploads'))
      return {
        status: 200,
        body: '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      };
    if (method === 'POST') {
      stored = large;
      return { status: 200, body: '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>' };
    }
    return { status: 200, headers: { etag: '"e"' }, body: method === 'GET' ? body : '' };
  };
}

const large = 16 * 1024 ** 2 + 1;
async function* stream() {
  yield Buffer.alloc(large);
}

const mountSecret = async (files: Readonly<Record<string, string>>) => {
  const folder = mountRoot + mounts.repository.credentials(0);
  await mkdir(folder, { recursive: true });
  for (const [key, value] of Object.entries(files)) await writeFile(join(folder, key), value);
};
const keys = { AWS_ACCESS_KEY_ID: 'FIRST', AWS_SECRET_ACCESS_KEY: 'secret' };
const open = async (s3: object) => {
  const spec = { bucket: 'backups', endpoint: server.endpoint, ...s3 };
  const store = await openStore({ name: 'offsite', spec: backupRepositorySpec.parse({ s3: spec }) }, 0, { mountRoot });
  stores.push(store);
  return store;
};
const withSecret = async (s3: object = {}) => {
  await mountSecret(keys);
  return open({ credentialsSecretRef: { name: 'store' }, ...s3 });
};
const put = (store: Store, key = 'x') => store.put(key, Buffer.from('x'), { ifAbsent: false, signal });
const last = () => server.seen.at(-1);

test('with an endpoint the bucket stands in the path, and the region in the signature', async () => {
  await put(await withSecret({ region: 'eu-west-3', prefix: 'prod' }));
  expect(last()?.path).toBe('/backups/prod/x');
  expect(last()?.headers.authorization).toContain('/eu-west-3/s3/aws4_request');
  await put(await withSecret());
  expect(last()?.headers.authorization).toContain('/us-east-1/s3/aws4_request');
});

test('forcePathStyle: false puts the bucket into the host name', async () => {
  // Not every host's resolver knows names below localhost.
  const real = dns.lookup;
  const everything = [{ address: '127.0.0.1', family: 4 }];
  const spied = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(((name: string, wanted: object, done: (...args: unknown[]) => void) =>
      name === 'backups.localhost'
        ? done(null, everything)
        : Reflect.apply(real, dns, [name, wanted, done])) as typeof real);
  await put(await withSecret({ endpoint: server.endpoint.replace('127.0.0.1', 'localhost'), forcePathStyle: false }));
  spied.mockRestore();
  expect(last()?.path).toBe('/x');
  expect(last()?.headers.host).toMatch(/^backups\.localhost:/);
});

test('the storage class is of the data, not of manifests and WAL', async () => {
  const store = await withSecret({ storageClass: 'STANDARD_IA' });
  await put(store);
  expect(last()?.headers).not.toHaveProperty('x-amz-storage-class');
  await store.upload('data', stream(), options);
  const begun = server.seen.find(({ query }) => query.has('uploads'));
  expect(begun?.headers['x-amz-storage-class']).toBe('STANDARD_IA');
});

test.each([
  [{ algorithm: 'AES256' }, 'AES256', undefined],
  [{ algorithm: 'aws:kms' }, 'aws:kms', undefined],
  [{ algorithm: 'aws:kms', kmsKeyID: 'arn:aws:kms:key/1' }, 'aws:kms', 'arn:aws:kms:key/1'],
])(
  'server-side encryption %j goes with every object, and not with the parts',
  async (serverSideEncryption, algorithm, key) => {
    const store = await withSecret({ serverSideEncryption });
    await put(store, 'small');
    await store.upload('large', stream(), options);
    const begun = server.seen.find(({ query }) => query.has('uploads'));
    const small = server.seen.find(({ method, path }) => method === 'PUT' && path.endsWith('small'));
    for (const request of [small, begun]) {
      expect(request?.headers['x-amz-server-side-encryption']).toBe(algorithm);
      expect(request?.headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe(key);
    }
    const parts = server.seen.filter(({ query }) => query.has('partNumber'));
    expect(parts).toHaveLength(2);
    for (const { headers } of parts) expect(headers).not.toHaveProperty('x-amz-server-side-encryption');
  },
);

test('checksumMode: a Content-MD5 for those that know no other, the CRC32 of the SDK for those that do', async () => {
  const required = await withSecret();
  await put(required);
  expect(last()?.headers['content-md5']).toBe(createHash('md5').update('x').digest('base64'));
  expect(Object.keys(last()?.headers ?? {}).filter((name) => name.includes('crc32'))).toEqual([]);
  await put(await withSecret({ checksumMode: 'WhenSupported' }));
  expect(last()?.headers).not.toHaveProperty('content-md5');
  expect(last()?.headers['x-amz-sdk-checksum-algorithm']).toBe('CRC32');
});

test('a session token goes with every request', async () => {
  await mountSecret({ ...keys, AWS_SESSION_TOKEN: 'session' });
  await put(await open({ credentialsSecretRef: { name: 'store' } }));
  expect(last()?.headers['x-amz-security-token']).toBe('session');
});

test('a rotated Secret is used within two minutes by a Job that goes on', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const store = await withSecret();
  const usedKey = async () => {
    await put(store);
    return last()?.headers.authorization?.match(/Credential=(\w+)\//)?.[1];
  };
  expect(await usedKey()).toBe('FIRST');
  await mountSecret({ AWS_ACCESS_KEY_ID: 'SECOND', AWS_SECRET_ACCESS_KEY: 'other' });
  expect(await usedKey()).toBe('FIRST');
  vi.setSystemTime(Date.now() + 120_000);
  // The SDK may serve one more request with the old one while it asks for the new.
  await usedKey();
  await vi.waitFor(async () => expect(await usedKey()).toBe('SECOND'), { timeout: 120_000 });
});

test('web identity: the pod’s token is traded at STS for keys of the role', async () => {
  const file = join(mountRoot, 'token');
  await writeFile(file, 'token of the pod');
  const sts = await startFaultyServer(() => ({
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>OFROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>of the role</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
  }));
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', file);
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/backups');
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.endpoint);
  await put(await open({}));
  await sts.stop();
  const asked = new URLSearchParams(sts.seen[0]?.body.toString());
  expect(Object.fromEntries(asked)).toMatchObject({
    Action: 'AssumeRoleWithWebIdentity',
    RoleArn: 'arn:aws:iam::123456789012:role/backups',
    WebIdentityToken: 'token of the pod',
  });
  expect(last()?.headers.authorization).toContain('Credential=OFROLE/');
  expect(last()?.headers['x-amz-security-token']).toBe('of the role');
});

test('pod identity: the agent of the node gives the keys', async () => {
  const file = join(mountRoot, 'token');
  await writeFile(file, 'token of the pod');
  const agent = await startFaultyServer(({ headers }) =>
    headers.authorization === 'token of the pod'
      ? {
          status: 200,
          body: JSON.stringify({
            AccessKeyId: 'OFPOD',
            SecretAccessKey: 's',
            Token: 'of the pod',
            Expiration: new Date(Date.now() + 3_600_000).toISOString(),
          }),
        }
      : { status: 403 },
  );
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${agent.endpoint}/v1/credentials`);
  vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', file);
  await put(await open({}));
  await agent.stop();
  expect(last()?.headers.authorization).toContain('Credential=OFPOD/');
});

test('without a Secret and without an identity it is told that there are no credentials', async () => {
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('HOME', mountRoot);
  await expect(put(await open({}))).rejects.toMatchObject({
    reason: 'CredentialsMissing',
    retryable: false,
    message: expect.stringContaining('spec.s3.credentialsSecretRef'),
  });
});

test('a real server takes a region, a storage class and both kinds of checksums', async () => {
  const real = await startS3Server();
  await real.createBucket('backups');
  await mountSecret({ AWS_ACCESS_KEY_ID: real.accessKey, AWS_SECRET_ACCESS_KEY: real.secretKey });
  for (const checksumMode of ['WhenRequired', 'WhenSupported']) {
    const store = await open({
      endpoint: real.endpoint,
      prefix: checksumMode.toLowerCase(),
      storageClass: 'STANDARD',
      checksumMode,
      credentialsSecretRef: { name: 'store' },
    });
    expect((await store.upload('data', stream(), options)).size).toBe(large);
    await put(store, 'small');
    expect((await store.get('small', options)).toString()).toBe('x');
  }
  await real.stop();
});
