import { createVerify, generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { isLockRefusal } from '../../../src/agent/expire/locked.ts';
import { usualTimings } from '../../../src/repository/attempts.ts';
import { crc32c, formatCrc32c } from '../../../src/repository/crc32c.ts';
import { gcsStore } from '../../../src/repository/gcs.ts';
import { identityTokens, serviceAccountTokens } from '../../../src/repository/gcs-credentials.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openGcs } from '../../support/gcs/server.ts';
import { type Answer, type FaultyServer, type SeenRequest, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { freePort } from '../../support/s3/server.ts';

const { signal } = new AbortController();
const options = { signal };
const mebibyte = 1024 ** 2;
const short = { ...usualTimings, idle: 1000, outage: 1500 };

const servers: FaultyServer[] = [];
const stores: Store[] = [];
afterEach(async () => {
  for (const each of stores.splice(0)) await each.close();
  for (const each of servers.splice(0)) await each.stop();
});
async function scripted(script: (request: SeenRequest, index: number) => Answer) {
  const server = await startFaultyServer(script);
  servers.push(server);
  const store = openGcs({ endpoint: server.endpoint, bucket: 'backups', prefix: '' }, short);
  stores.push(store);
  return { server, store };
}
const json = (status: number, value: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const refusal = (status: number, reason: string, message = 'scripted') =>
  json(status, { error: { code: status, message, errors: [{ reason, message }] } });
const noObject = () => refusal(404, 'notFound', 'No such object: backups/x');
const resource = (body: Buffer, more: object = {}) => ({
  size: String(body.length),
  crc32c: formatCrc32c(crc32c(body)),
  ...more,
});

test.each([
  ['of the credentials', refusal(401, 'authError', 'Invalid Credentials'), 'WrongCredentials', false],
  ['of a right', refusal(403, 'forbidden', 'a@b does not have storage.objects.get access'), 'AccessDenied', false],
  ['of the bucket', refusal(404, 'notFound', 'The specified bucket does not exist.'), 'NoSuchBucket', false],
  ['of the object', noObject(), 'NoSuchObject', false],
  ['by a retention policy', refusal(403, 'retentionPolicyNotMet', 'under a retention policy'), 'AccessDenied', false],
  ['for a while', refusal(429, 'rateLimitExceeded'), 'SlowDown', true],
  ['by a fault', refusal(503, 'backendError'), 'StoreError', true],
  ['by silence', { fault: 'silence' } as const, 'StoreUnreachable', true],
  ['by a broken connection', { fault: 'reset' } as const, 'StoreUnreachable', true],
])('a refusal %s has its reason', async (_, answer, reason, retryable) => {
  const { store } = await scripted(() => answer);
  await expect(store.get('x', options)).rejects.toMatchObject({ reason, retryable });
});

test('where nobody listens: StoreUnreachable', async () => {
  const store = openGcs({ endpoint: `http://127.0.0.1:${await freePort()}`, bucket: 'backups' }, short);
  stores.push(store);
  await expect(store.get('x', options)).rejects.toMatchObject({ reason: 'StoreUnreachable', retryable: true });
});

test('an upload that breaks goes on where the store says that it stopped', async () => {
  const body = Buffer.alloc(16 * mebibyte + 5, 'tidemark');
  const ranges: string[] = [];
  const { server, store } = await scripted(({ method, query, headers }) => {
    if (method === 'GET') return noObject();
    if (method === 'POST') return { status: 200, headers: { location: `${server.endpoint}/session?${query}` } };
    const range = String(headers['content-range']);
    ranges.push(range);
    if (ranges.length === 1) return refusal(503, 'backendError');
    if (range === 'bytes */*') return { status: 308, headers: { range: `bytes=0-${10 * mebibyte - 1}` } };
    if (range.endsWith('/*')) return { status: 308, headers: { range: `bytes=0-${16 * mebibyte - 1}` } };
    return json(200, resource(body));
  });
  async function* source() {
    yield body;
  }
  expect((await store.upload('x', source(), options)).size).toBe(body.length);
  const end = 16 * mebibyte;
  expect(ranges).toEqual([
    `bytes 0-${end - 1}/*`,
    'bytes */*',
    `bytes ${10 * mebibyte}-${end - 1}/*`,
    `bytes ${end}-${end + 4}/${end + 5}`,
  ]);
  expect(server.seen.find(({ method }) => method === 'POST')?.query.get('ifGenerationMatch')).toBe('0');
});

test('an upload whose CRC32C differs in the store is a failure, and is removed', async () => {
  let mark: string | undefined;
  const { server, store } = await scripted(({ method, body }) => {
    if (method === 'POST') {
      mark = JSON.parse(body.toString()).metadata['tidemark-write'];
      return { status: 200, headers: { location: `${server.endpoint}/session` } };
    }
    const stored = { size: String(16 * mebibyte + 1), metadata: { 'tidemark-write': mark } };
    if (method === 'GET') return mark === undefined ? noObject() : json(200, stored);
    if (method === 'PUT' && body.length > 1) return { status: 308, headers: { range: `bytes=0-${16 * mebibyte - 1}` } };
    return method === 'PUT' ? json(200, { ...stored, crc32c: 'AAAAAA==' }) : { status: 204 };
  });
  async function* source() {
    yield Buffer.alloc(16 * mebibyte + 1, 1);
  }
  await expect(store.upload('x', source(), options)).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
  expect(server.seen.filter(({ method }) => method === 'DELETE').map(({ path }) => path)).toEqual([
    '/session',
    '/storage/v1/b/backups/o/x',
  ]);
});

test('a small object is checked on its way back', async () => {
  const { server, store } = await scripted((_, index) => ({
    status: 200,
    headers: { 'x-goog-hash': `crc32c=${formatCrc32c(crc32c(Buffer.from('content')))},md5=x` },
    body: index === 0 ? 'cOntent' : 'content',
  }));
  expect((await store.get('x', options)).toString()).toBe('content');
  expect(server.seen).toHaveLength(2);
});

test('a range whose connection breaks is asked for again, of the same generation, and no more than it', async () => {
  const body = Buffer.alloc(6 * mebibyte, 'tidemark');
  const { server, store } = await scripted(({ headers }, index) => {
    const [, start = 0, end = 0] =
      String(headers.range)
        .match(/bytes=(\d+)-(\d+)/)
        ?.map(Number) ?? [];
    const part = body.subarray(start, end + 1);
    const range = { 'content-range': `bytes ${start}-${start + part.length - 1}/${body.length}` };
    const about = { ...range, 'x-goog-generation': '17', 'content-length': String(part.length) };
    // The second range breaks off.
    if (index !== 1) return { status: 206, headers: about, body: part };
    return { fault: 'cut', status: 206, headers: about, body: part, after: 1000 };
  });
  const got = Buffer.concat(await Array.fromAsync(await store.download('x', options)));
  expect(got.equals(body)).toBe(true);
  const second = `bytes=${4 * mebibyte}-${8 * mebibyte - 1}`;
  expect(server.seen.map(({ headers }) => headers.range)).toEqual([`bytes=0-${4 * mebibyte - 1}`, second, second]);
  expect(server.seen.slice(1).map(({ query }) => query.get('ifGenerationMatch'))).toEqual(['17', '17']);
});

test('an answer that was lost is told from another writer’s object', async () => {
  let mark: string | undefined;
  const ours = await scripted(({ method, body }) => {
    if (method === 'GET') return json(200, { size: '1', metadata: { 'tidemark-write': mark } });
    if (mark !== undefined) return refusal(412, 'conditionNotMet');
    mark = body.toString().match(/"tidemark-write":"([^"]+)"/)?.[1];
    return { fault: 'reset' };
  });
  await ours.store.put('x', Buffer.from('x'), { ifAbsent: true, signal });
  const others = await scripted(({ method }) =>
    method === 'GET' ? json(200, { size: '1', metadata: {} }) : refusal(412, 'conditionNotMet'),
  );
  await expect(others.store.put('x', Buffer.from('x'), { ifAbsent: true, signal })).rejects.toMatchObject({
    reason: 'ObjectExists',
  });
});

test('retention and holds are a lock, and so is a refusal for one of them', async () => {
  const until = new Date(Date.now() + 86_400_000);
  const { store } = await scripted(({ method, path }) => {
    if (method === 'DELETE') return refusal(403, 'objectUnderActiveHold', 'Object is under active Temporary hold');
    const lock = path.endsWith('held') ? { temporaryHold: true } : { retentionExpirationTime: until.toISOString() };
    return json(200, { size: '3', ...lock });
  });
  expect(await store.head('kept', options)).toEqual({ size: 3, lock: { until } });
  expect(await store.head('held', options)).toEqual({ size: 3, lock: { until: undefined } });
  const failure = await store.delete(['held'], options).catch((error: unknown) => error);
  expect(failure).toMatchObject({ reason: 'AccessDenied', retryable: false });
  expect(isLockRefusal(failure)).toBe(true);
});

test('a service account signs for a token, once for many requests', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const login = await startFaultyServer(({ body }) => {
    const assertion = new URLSearchParams(body.toString()).get('assertion') ?? '';
    const [head = '', claims = '', signature = ''] = assertion.split('.');
    const good = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url');
    const { iss, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const right = good && iss === 'backup@shop.example' && scope.endsWith('devstorage.read_write');
    return right ? json(200, { access_token: 'signed', expires_in: 3600 }) : json(400, { error: 'invalid_grant' });
  });
  const blobs = await startFaultyServer(() => ({ status: 200, body: 'x' }));
  servers.push(login, blobs);
  const open = (key: string) => {
    const tokens = serviceAccountTokens({
      type: 'service_account',
      client_email: 'backup@shop.example',
      private_key: key,
      token_uri: `${login.endpoint}/token`,
    });
    const place = { bucket: 'backups', prefix: '', endpoint: blobs.endpoint };
    const store = gcsStore({ ...place, tokens: async () => tokens, credentialsFrom: 'the Secret store' }, short);
    stores.push(store);
    return store;
  };
  const store = open(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  await store.get('x', options);
  await store.get('y', options);
  expect(blobs.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer signed', 'Bearer signed']);
  expect(login.seen).toHaveLength(1);
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const wrong = open(other.export({ type: 'pkcs8', format: 'pem' }).toString());
  await expect(wrong.get('x', options)).rejects.toMatchObject({
    reason: 'WrongCredentials',
    retryable: false,
    message: expect.stringContaining('backup@shop.example (invalid_grant)'),
  });
  const failure = await open('-----BEGIN PRIVATE KEY-----secret')
    .get('x', options)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ reason: 'CredentialsMissing' });
  expect(JSON.stringify(failure) + String(failure)).not.toContain('KEY-----secret');
});

test('workload identity: the metadata server gives the token', async () => {
  const metadata = await startFaultyServer(({ path, headers }) =>
    headers['metadata-flavor'] === 'Google' && path.endsWith('/service-accounts/default/token')
      ? json(200, { access_token: 'of the pod', expires_in: 3600 })
      : { status: 404 },
  );
  const blobs = await startFaultyServer(() => ({ status: 200, body: 'x' }));
  servers.push(metadata, blobs);
  const tokens = identityTokens({ GCE_METADATA_HOST: metadata.endpoint.replace('http://', '') });
  const place = { bucket: 'backups', prefix: '', endpoint: blobs.endpoint };
  const store = gcsStore({ ...place, tokens: async () => tokens, credentialsFrom: 'the pod' }, short);
  stores.push(store);
  await store.get('x', options);
  expect(blobs.seen[0]?.headers.authorization).toBe('Bearer of the pod');
});
