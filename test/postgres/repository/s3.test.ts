import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../../src/repository/store.ts';
import { openS3, shortTimings } from '../../support/s3/open.ts';
import { freePort, type S3Server, startS3Server } from '../../support/s3/server.ts';

const partSize = 16 * 1024 ** 2;
const { signal } = new AbortController();
const options = { signal };

let server: S3Server;
let store: Store;
let folder: string;
beforeAll(async () => {
  server = await startS3Server();
  await server.createBucket('backups');
  store = openS3({ ...server, bucket: 'backups' });
});
afterAll(async () => {
  await store.close();
  await server.stop();
});
beforeEach(() => {
  folder = randomBytes(4).toString('hex');
});

async function* stream(size: number, chunkSize = 100_000) {
  for (let left = size; left > 0; left -= chunkSize) yield Buffer.alloc(Math.min(left, chunkSize), left % 255);
}

const listed = async (prefix: string) => (await Array.fromAsync(store.list(prefix, options))).map(({ key }) => key);
const unfinished = () => store.sweepUnfinished(`${folder}/`, new Date(8.64e15), options);

test('gives back what was put, and its size', async () => {
  await store.put(`${folder}/a`, Buffer.from('content'), { ifAbsent: true, signal });
  expect((await store.get(`${folder}/a`, options)).toString()).toBe('content');
  expect(await store.head(`${folder}/a`, options)).toMatchObject({ size: 7 });
  expect(await store.head(`${folder}/b`, options)).toBeUndefined();
});

test('keys lie under the prefix of the repository', async () => {
  await store.put(`${folder}/a`, Buffer.from('x'), { ifAbsent: true, signal });
  const outside = openS3({ ...server, bucket: 'backups', prefix: '' });
  expect((await outside.get(`pre/fix/${folder}/a`, options)).toString()).toBe('x');
  await outside.close();
});

test('an existing key stays as it is where ifAbsent is set, and is replaced where not', async () => {
  const key = `${folder}/a`;
  await store.put(key, Buffer.from('first'), { ifAbsent: true, signal });
  await expect(store.put(key, Buffer.from('second'), { ifAbsent: true, signal })).rejects.toMatchObject({
    reason: 'ObjectExists',
  });
  expect((await store.get(key, options)).toString()).toBe('first');
  await store.put(key, Buffer.from('third'), { ifAbsent: false, signal });
  expect((await store.get(key, options)).toString()).toBe('third');
});

test('of several writers of one key at once exactly one wins', async () => {
  const key = `${folder}/claim`;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => store.put(key, Buffer.from(`writer ${index}`), { ifAbsent: true, signal })),
  );
  const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
  expect(winners.length).toBe(1);
  expect((await store.get(key, options)).toString()).toBe(`writer ${winners[0]}`);
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason.reason).toBe('ObjectExists');
});

test('of two uploads of one key at once exactly one wins, and nothing is left of the other', async () => {
  const key = `${folder}/claim`;
  const outcomes = await Promise.allSettled(
    [1, 2].map((extra) => store.upload(key, stream(partSize + extra), options)),
  );
  const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(won.length).toBe(1);
  expect(await store.head(key, options)).toMatchObject({ size: won[0]?.size });
  expect(await unfinished()).toBe(0);
});

describe.each(['WhenRequired', 'WhenSupported'] as const)('with checksums %s', (checksumMode) => {
  test.each([
    ['nothing', 0],
    ['one byte', 1],
    ['less than a part', 1_000_000],
    ['exactly one part', partSize],
    ['one byte more than a part', partSize + 1],
    ['many parts', 5 * partSize + 12_345],
  ])('uploads and downloads %s', async (_, size) => {
    const here = openS3({ ...server, bucket: 'backups', checksumMode });
    const expected = createHash('sha256');
    for await (const chunk of stream(size)) expected.update(chunk);
    const sha256 = `sha256:${expected.digest('hex')}`;
    const progress: number[] = [];
    const uploaded = await here.upload(`${folder}/stream`, stream(size), {
      signal,
      onProgress: (stored) => progress.push(stored),
    });
    expect(uploaded).toEqual({ size, sha256 });
    expect(progress.at(-1)).toBe(size);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const got = createHash('sha256');
    for await (const chunk of await here.download(`${folder}/stream`, options)) got.update(chunk);
    expect(`sha256:${got.digest('hex')}`).toBe(sha256);
    expect(await unfinished()).toBe(0);
    await here.close();
  });
});

test('lists more than a thousand keys in order, and the folders', async () => {
  const keys = Array.from({ length: 1234 }, (_, index) => `${folder}/many/${String(index).padStart(5, '0')}`);
  for (let start = 0; start < keys.length; start += 50) {
    await Promise.all(
      keys.slice(start, start + 50).map((key) => store.put(key, Buffer.from('x'), { ifAbsent: false, signal })),
    );
  }
  await store.put(`${folder}/other/x`, Buffer.from('x'), { ifAbsent: false, signal });
  expect(await listed(`${folder}/many/`)).toEqual(keys);
  expect(await Array.fromAsync(store.listFolders(`${folder}/`, options))).toEqual(['many', 'other']);
  await store.delete([...keys, `${folder}/never-there`], options);
  expect(await listed(`${folder}/`)).toEqual([`${folder}/other/x`]);
});

test.each([
  ['before the first part is full', 1000],
  ['after several parts', 4 * partSize],
])('a stream that fails %s leaves nothing, and its own error is told', async (_, size) => {
  async function* failing() {
    yield* stream(size);
    throw new Error('pg_dump exited with code 1');
  }
  await expect(store.upload(`${folder}/broken`, failing(), options)).rejects.toThrow('pg_dump exited with code 1');
  expect(await listed(`${folder}/`)).toEqual([]);
  expect(await unfinished()).toBe(0);
});

test('an abort ends an upload at once, also while the stream is silent, and leaves nothing', async () => {
  const abort = new AbortController();
  async function* silent() {
    yield* stream(3 * partSize);
    abort.abort();
    await new Promise(() => undefined);
  }
  const upload = store.upload(`${folder}/stopped`, silent(), { signal: abort.signal });
  await expect(upload).rejects.toMatchObject({ reason: 'Cancelled', retryable: true });
  expect(await listed(`${folder}/`)).toEqual([]);
  expect(await unfinished()).toBe(0);
});

test('an upload never overwrites, and does not read its stream then', async () => {
  await store.put(`${folder}/there`, Buffer.from('old'), { ifAbsent: true, signal });
  let read = false;
  async function* source() {
    read = true;
    yield Buffer.from('new');
  }
  await expect(store.upload(`${folder}/there`, source(), options)).rejects.toMatchObject({ reason: 'ObjectExists' });
  expect(read).toBe(false);
});

test('an object that does not exist is told before the first byte', async () => {
  await expect(store.download(`${folder}/none`, options)).rejects.toMatchObject({
    reason: 'NoSuchObject',
    retryable: false,
  });
  await expect(store.get(`${folder}/none`, options)).rejects.toMatchObject({ reason: 'NoSuchObject' });
});

test('ends unfinished uploads under the folder only, and only older ones', async () => {
  const { CreateMultipartUploadCommand, S3Client } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secretKey };
  const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  for (const key of ['a/x', 'a/y', 'b/x']) {
    await client.send(new CreateMultipartUploadCommand({ Bucket: 'backups', Key: `pre/fix/${folder}/${key}` }));
  }
  client.destroy();
  expect(await store.sweepUnfinished(`${folder}/a/`, new Date(Date.now() - 60_000), options)).toBe(0);
  expect(await store.sweepUnfinished(`${folder}/a/`, new Date(Date.now() + 60_000), options)).toBe(2);
  expect(await unfinished()).toBe(1);
});

describe('a store that refuses', () => {
  const attempts = [
    ['put', (at: Store) => at.put('x', Buffer.from('x'), { ifAbsent: true, signal })],
    ['upload', (at: Store) => at.upload('x', stream(10), options)],
    ['get', (at: Store) => at.get('x', options)],
    ['download', (at: Store) => at.download('x', options)],
    ['list', (at: Store) => Array.fromAsync(at.list('', options))],
  ] as const;

  test.each(attempts)(
    '%s with a wrong secret key: WrongCredentials, and no secret in the message',
    async (_, attempt) => {
      const here = openS3({ ...server, secretKey: 'not-the-secret', bucket: 'backups' });
      const failure = await attempt(here).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        reason: 'WrongCredentials',
        retryable: false,
        message: expect.stringContaining('the Secret store'),
      });
      expect(JSON.stringify(failure) + String(failure)).not.toContain('not-the-secret');
      await here.close();
    },
  );

  test.each(attempts)('%s in a bucket that does not exist: NoSuchBucket', async (_, attempt) => {
    const here = openS3({ ...server, bucket: 'no-such-bucket' });
    await expect(attempt(here)).rejects.toMatchObject({ reason: 'NoSuchBucket', retryable: false });
    await here.close();
  });

  test.each(attempts)('%s where nobody listens: StoreUnreachable', async (_, attempt) => {
    const here = openS3({ endpoint: `http://127.0.0.1:${await freePort()}`, bucket: 'backups' });
    await expect(attempt(here)).rejects.toMatchObject({ reason: 'StoreUnreachable', retryable: true });
    await here.close();
  });

  test.each(attempts)('%s from a server that never answers: StoreUnreachable, no hanging', async (_, attempt) => {
    const silent = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const here = openS3({ endpoint: `http://127.0.0.1:${port}`, bucket: 'backups' }, shortTimings);
    await expect(attempt(here)).rejects.toMatchObject({ reason: 'StoreUnreachable', retryable: true });
    await here.close();
    silent.close();
  });
});
