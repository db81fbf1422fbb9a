import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { isLockRefusal } from '../../../src/agent/expire/locked.ts';
import { usualTimings } from '../../../src/repository/attempts.ts';
import { azureStore } from '../../../src/repository/azure.ts';
import { workloadToken } from '../../../src/repository/azure-identity.ts';
import { probeStore } from '../../../src/repository/probe.ts';
import type { Store } from '../../../src/repository/store.ts';
import { type AzureServer, openAzure, startAzurite } from '../../support/azure/server.ts';
import { selfSignedCertificate } from '../../support/s3/certificate.ts';
import { type Answer, type FaultyServer, type SeenRequest, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { freePort } from '../../support/s3/server.ts';

const { signal } = new AbortController();
const options = { signal };
const short = { ...usualTimings, idle: 1000, outage: 1500 };
let azurite: AzureServer;
beforeAll(async () => {
  azurite = await startAzurite();
  await azurite.container('backups').create();
});
afterAll(() => azurite.stop());

const servers: FaultyServer[] = [];
afterEach(async () => {
  for (const each of servers.splice(0)) await each.stop();
});
async function scripted(script: (request: SeenRequest, index: number) => Answer) {
  const server = await startFaultyServer(script);
  servers.push(server);
  return {
    server,
    store: openAzure({ endpoint: `${server.endpoint}/account`, container: 'backups', prefix: '' }, short),
  };
}
const refusal = (status: number, code: string): Answer => ({
  status,
  headers: { 'x-ms-error-code': code, 'content-type': 'application/xml' },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>scripted</Message></Error>`,
});

test('a SAS token opens what it is for, and its lack of rights is told', async () => {
  const credential = new StorageSharedKeyCredential(azurite.account, azurite.key);
  const open = (permissions: string) => {
    const token = generateBlobSASQueryParameters(
      {
        containerName: 'backups',
        permissions: ContainerSASPermissions.parse(permissions),
        expiresOn: new Date(Date.now() + 600_000),
      },
      credential,
    ).toString();
    const access = async () => ({ url: azurite.endpoint, credential: { kind: 'sas', token } as const });
    return azureStore({ container: 'backups', prefix: 'sas', access, credentialsFrom: 'the Secret store' });
  };
  const writer = open('racwdl');
  await writer.put('a', Buffer.from('x'), { ifAbsent: true, signal });
  const reader = open('rl');
  expect((await reader.get('a', options)).toString()).toBe('x');
  await expect(reader.put('b', Buffer.from('x'), { ifAbsent: true, signal })).rejects.toMatchObject({
    reason: 'AccessDenied',
    retryable: false,
    message: expect.stringContaining('racwdl'),
  });
  await expect(probeStore(reader, signal)).rejects.toMatchObject({
    reason: 'AccessDenied',
    message: expect.stringMatching(/^The call “put” failed\./),
  });
  await expect(probeStore(open('rwdl'), signal)).resolves.toMatchObject({ capabilities: { conditionalPut: true } });
  await expect(probeStore(open('rwl'), signal)).rejects.toMatchObject({
    message: expect.stringMatching(/^The call “delete” failed\./),
  });
});

const attempts = [
  ['put', (at: Store) => at.put('x', Buffer.from('x'), { ifAbsent: true, signal })],
  ['get', (at: Store) => at.get('x', options)],
  ['download', (at: Store) => at.download('x', options)],
  ['list', (at: Store) => Array.fromAsync(at.list('', options))],
] as const;

test.each(attempts)('%s: what is wrong with the store is told, and no key', async (_, attempt) => {
  const key = Buffer.from('another account key').toString('base64');
  const failure = await attempt(openAzure({ ...azurite, key, container: 'backups' })).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    reason: 'WrongCredentials',
    retryable: false,
    message: expect.stringContaining('the Secret store'),
  });
  expect(JSON.stringify(failure) + String(failure)).not.toContain(key);
  await expect(attempt(openAzure({ ...azurite, container: 'no-such-container' }))).rejects.toMatchObject({
    reason: 'NoSuchBucket',
    retryable: false,
  });
  const nobody = `http://127.0.0.1:${await freePort()}/account`;
  await expect(attempt(openAzure({ endpoint: nobody, container: 'backups' }, short))).rejects.toMatchObject({
    reason: 'StoreUnreachable',
    retryable: true,
  });
});

test('a server that never answers is given up', async () => {
  const { store } = await scripted(() => ({ fault: 'silence' }));
  await expect(store.get('x', options)).rejects.toMatchObject({ reason: 'StoreUnreachable' });
});

test('a range whose connection breaks, or whose bytes were damaged, is asked for again, and no more than it', async () => {
  const body = Buffer.alloc(6 * 1024 ** 2, 'tidemark');
  const window = 4 * 1024 ** 2;
  const { server, store } = await scripted(({ headers }, index) => {
    const [, start = 0, end = 0] =
      String(headers['x-ms-range'])
        .match(/bytes=(\d+)-(\d+)/)
        ?.map(Number) ?? [];
    const part = body.subarray(start, end + 1);
    const about = {
      etag: '"1"',
      'content-length': String(part.length),
      'content-range': `bytes ${start}-${start + part.length - 1}/${body.length}`,
      'content-md5': createHash('md5').update(part).digest('base64'),
    };
    if (index === 0) return { fault: 'cut', headers: about, body: part, after: 1000 };
    if (index === 2) return { status: 206, headers: about, body: Buffer.concat([Buffer.from('X'), part.subarray(1)]) };
    return { status: 206, headers: about, body: part };
  });
  const got = Buffer.concat(await Array.fromAsync(await store.download('x', options)));
  expect(got.equals(body)).toBe(true);
  const ranges = server.seen.map(({ headers }) => headers['x-ms-range']);
  const [first, second] = [`bytes=0-${window - 1}`, `bytes=${window}-${2 * window - 1}`];
  expect(ranges).toEqual([first, first, second, second]);
  expect(server.seen.slice(2).map(({ headers }) => headers['if-match'])).toEqual(['"1"', '"1"']);
});

test('an answer that was lost is told from another writer’s object', async () => {
  let mark: string | undefined;
  const ours = await scripted(({ method, headers }) => {
    if (method === 'PUT' && mark === undefined) {
      mark = String(headers['x-ms-meta-tidemarkwrite']);
      return { fault: 'reset' };
    }
    if (method === 'PUT') return refusal(409, 'BlobAlreadyExists');
    return { status: 200, headers: { 'content-length': '1', 'x-ms-meta-tidemarkwrite': mark ?? '' } };
  });
  await ours.store.put('x', Buffer.from('x'), { ifAbsent: true, signal });
  expect(ours.server.seen[0]?.headers['if-none-match']).toBe('*');
  const others = await scripted(({ method }) =>
    method === 'PUT'
      ? refusal(409, 'BlobAlreadyExists')
      : { status: 200, headers: { 'content-length': '1', 'x-ms-meta-tidemarkwrite': 'another' } },
  );
  await expect(others.store.put('x', Buffer.from('x'), { ifAbsent: true, signal })).rejects.toMatchObject({
    reason: 'ObjectExists',
  });
});

test('a block that fails is sent again, and the service checks the MD5 of each', async () => {
  let committed = false;
  const { server, store } = await scripted(({ method, query }, index) => {
    if (method === 'HEAD')
      return committed ? { status: 200, headers: { 'content-length': '16777217' } } : { status: 404 };
    if (query.get('comp') === 'blocklist') committed = true;
    return index === 1 ? refusal(503, 'ServerBusy') : { status: 201 };
  });
  async function* body() {
    yield Buffer.alloc(16 * 1024 ** 2 + 1);
  }
  expect((await store.upload('x', body(), options)).size).toBe(16 * 1024 ** 2 + 1);
  const blocks = server.seen.filter(({ query }) => query.get('comp') === 'block');
  expect(blocks).toHaveLength(3);
  for (const { headers, body: sent } of blocks)
    expect(headers['content-md5']).toBe(createHash('md5').update(sent).digest('base64'));
  expect(new Set(blocks.map(({ query }) => query.get('blockid'))).size).toBe(2);
  const commit = server.seen.find(({ query }) => query.get('comp') === 'blocklist');
  expect(commit?.headers['if-none-match']).toBe('*');
});

test('a list goes on where the service says, page by page', async () => {
  const page = (names: readonly string[], next: string): Answer => ({
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0"?><EnumerationResults ContainerName="backups"><Blobs>${names
      .map(
        (name) =>
          `<Blob><Name>${name}</Name><Properties><Last-Modified>Sat, 21 Nov 2026 19:00:00 GMT</Last-Modified><Etag>1</Etag><Content-Length>3</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
      )
      .join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
  });
  const { server, store } = await scripted(({ query }, index) => {
    if (index === 1) return refusal(503, 'ServerBusy');
    return query.get('marker') === 'more' ? page(['f/c'], '') : page(['f/a', 'f/b', 'f/folder/'], 'more');
  });
  const found = await Array.fromAsync(store.list('f/', options));
  const lastModified = new Date('2026-11-21T19:00:00Z');
  expect(found).toEqual(['f/a', 'f/b', 'f/c'].map((key) => ({ key, size: 3, lastModified })));
  expect(server.seen.map(({ query }) => query.get('marker'))).toEqual([null, 'more', 'more']);
});

test('an immutability policy and a legal hold are a lock, and so is a refusal for one of them', async () => {
  const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
  const { store } = await scripted(({ method, path }) => {
    if (method === 'DELETE') return refusal(409, 'BlobImmutableDueToPolicy');
    const lock = path.endsWith('held')
      ? { 'x-ms-legal-hold': 'true' }
      : { 'x-ms-immutability-policy-until-date': until.toUTCString(), 'x-ms-immutability-policy-mode': 'locked' };
    return { status: 200, headers: { 'content-length': '3', ...lock } };
  });
  expect(await store.head('kept', options)).toEqual({ size: 3, lock: { until } });
  expect(await store.head('held', options)).toEqual({ size: 3, lock: { until: undefined } });
  const failure = await store.delete(['kept'], options).catch((error: unknown) => error);
  expect(failure).toMatchObject({ reason: 'AccessDenied', retryable: false });
  expect(isLockRefusal(failure)).toBe(true);
});

test('workload identity: the pod’s token is traded for one of Azure, which goes with every request', async () => {
  const certificate = await selfSignedCertificate();
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate.cert]);
  onTestFinished(() => setDefaultCACertificates(before));
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-identity-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'token');
  await writeFile(file, 'token of the pod\n');
  const login = await startFaultyServer(({ body }) => {
    const asked = new URLSearchParams(body.toString());
    return asked.get('client_assertion') === 'token of the pod'
      ? { status: 200, body: JSON.stringify({ access_token: 'token of Azure', expires_in: 3600 }) }
      : {
          status: 401,
          body: JSON.stringify({ error_description: 'AADSTS700016: no such application\r\nTrace ID: 1' }),
        };
  }, certificate);
  const blobs = await startFaultyServer(() => ({ status: 201 }), certificate);
  servers.push(login, blobs);
  const environment = {
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_FEDERATED_TOKEN_FILE: file,
    AZURE_AUTHORITY_HOST: login.endpoint,
  };
  const open = () => {
    const credential = { kind: 'token', getToken: workloadToken(environment) } as const;
    const access = async () => ({ url: `${blobs.endpoint}/account`, credential });
    return azureStore({ container: 'backups', prefix: '', access, credentialsFrom: 'the pod' }, short);
  };
  await open().put('x', Buffer.from('x'), { ifAbsent: false, signal });
  expect(blobs.seen.at(-1)?.headers.authorization).toBe('Bearer token of Azure');
  expect(login.seen[0]?.path).toBe('/tenant/oauth2/v2.0/token');
  expect(new URLSearchParams(login.seen[0]?.body.toString()).get('scope')).toBe('https://storage.azure.com/.default');
  await writeFile(file, 'another token');
  await expect(open().put('x', Buffer.from('x'), { ifAbsent: false, signal })).rejects.toMatchObject({
    reason: 'WrongCredentials',
    message: expect.stringMatching(/AADSTS700016: no such application\)/),
  });
});
