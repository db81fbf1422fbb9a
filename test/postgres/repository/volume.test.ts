import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../../src/repository/store.ts';
import { volumeStore } from '../../../src/repository/volume.ts';

const { signal } = new AbortController();
const options = { signal };
let mount: string;
let root: string;
let store: Store;

beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'tidemark-volume-'));
  root = join(mount, 'backups/prod');
  store = volumeStore({ mount, path: 'backups/prod', claimName: 'offsite' });
});
afterEach(() => rm(mount, { recursive: true, force: true }));

async function* stream(chunks: number) {
  for (let index = 0; index < chunks; index += 1) yield Buffer.alloc(100_000, index);
}
const put = (key: string, body = 'x', ifAbsent = true) => store.put(key, Buffer.from(body), { ifAbsent, signal });
const listed = async (prefix: string) => (await Array.fromAsync(store.list(prefix, options))).map(({ key }) => key);
const files = async () =>
  (await readdir(mount, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());

test('a key is a file under the path of the repository', async () => {
  await put('ns/policy/file', 'content');
  expect(await readFile(join(root, 'ns/policy/file'), 'utf8')).toBe('content');
  expect((await store.get('ns/policy/file', options)).toString()).toBe('content');
  expect(await store.head('ns/policy/file', options)).toEqual({ size: 7, lastModified: expect.any(Date) });
  expect(await store.head('ns/policy', options)).toBeUndefined();
});

test('an existing key stays as it is where ifAbsent is set, and is replaced where not', async () => {
  await put('a', 'first');
  await expect(put('a', 'second')).rejects.toMatchObject({ reason: 'ObjectExists' });
  expect((await store.get('a', options)).toString()).toBe('first');
  await put('a', 'third', false);
  expect((await store.get('a', options)).toString()).toBe('third');
  expect((await files()).length).toBe(1);
});

test('of several writers of one key at once exactly one wins, and no temporary file stays', async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => put('f/claim', `writer ${index}`)),
  );
  const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
  expect(winners.length).toBe(1);
  expect((await store.get('f/claim', options)).toString()).toBe(`writer ${winners[0]}`);
  expect((await files()).map(({ name }) => name)).toEqual(['claim']);
});

test('uploads and downloads a stream, and says how far it is', async () => {
  const progress: number[] = [];
  const { size } = await store.upload('f/stream', stream(50), {
    signal,
    onProgress: (stored) => progress.push(stored),
  });
  expect(size).toBe(5_000_000);
  expect(progress.at(-1)).toBe(size);
  const got = Buffer.concat(await Array.fromAsync(await store.download('f/stream', options)));
  expect(got.equals(Buffer.concat(await Array.fromAsync(stream(50))))).toBe(true);
  await expect(store.upload('f/stream', stream(1), options)).rejects.toMatchObject({ reason: 'ObjectExists' });
});

test('a stream that fails leaves neither a file nor a folder, and its own error is told', async () => {
  async function* failing() {
    yield* stream(3);
    throw new Error('pg_dump exited with code 1');
  }
  await expect(store.upload('ns/policy/broken', failing(), options)).rejects.toThrow('pg_dump exited with code 1');
  expect(await readdir(root)).toEqual([]);
});

test('an abort ends an upload at once, also while the stream is silent', async () => {
  const abort = new AbortController();
  async function* silent() {
    yield* stream(3);
    abort.abort();
    await new Promise(() => undefined);
  }
  const upload = store.upload('ns/stopped', silent(), { signal: abort.signal });
  await expect(upload).rejects.toMatchObject({ reason: 'Cancelled' });
  expect(await readdir(root)).toEqual([]);
});

test('lists in the order of keys as S3 does, without temporary files and links', async () => {
  const keys = ['a-b/x', 'a.b/x', 'a/b', 'a/c/d', 'a0', 'b'];
  for (const key of [...keys].reverse()) await put(key);
  await writeFile(join(root, 'a/.tmp-1'), '');
  await symlink('/etc', join(root, 'etc'));
  expect(await listed('')).toEqual(keys);
  expect(await listed('a/')).toEqual(['a/b', 'a/c/d']);
  expect(await listed('none/')).toEqual([]);
  expect(await Array.fromAsync(store.listFolders('', options))).toEqual(['a-b', 'a.b', 'a']);
});

test('deletes what exists, and the folders that become empty, but not the root', async () => {
  await put('ns/policy/a');
  await put('ns/other/b');
  await store.delete(['ns/policy/a', 'ns/policy/never'], options);
  expect(await Array.fromAsync(store.listFolders('ns/', options))).toEqual(['other']);
  await store.delete(['ns/other/b'], options);
  expect(await readdir(root)).toEqual([]);
});

test.each(['../outside', 'a/../../outside', '/etc/passwd', 'a//b', '', '.', 'a/.tmp-x', 'a\\b', 'a\0b'])(
  'refuses the key %j',
  async (key) => {
    await expect(put(key)).rejects.toMatchObject({ reason: 'InvalidKey' });
    await expect(store.get(key, options)).rejects.toMatchObject({ reason: 'InvalidKey' });
    await expect(store.delete([key], options)).rejects.toMatchObject({ reason: 'InvalidKey' });
  },
);

test('a symbolic link in the volume does not lead out of it', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'tidemark-outside-'));
  await writeFile(join(outside, 'secret'), 'secret');
  await mkdir(root, { recursive: true });
  await symlink(outside, join(root, 'link'));
  await symlink(join(outside, 'secret'), join(root, 'direct'));
  await expect(put('link/new')).rejects.toMatchObject({ reason: 'InvalidKey' });
  await expect(store.get('link/secret', options)).rejects.toMatchObject({ reason: 'InvalidKey' });
  await expect(store.get('direct', options)).rejects.toMatchObject({ reason: 'InvalidKey' });
  expect(await readdir(outside)).toEqual(['secret']);
  await rm(outside, { recursive: true });
});

test('sweeps the temporary files of dead writers, not those of living ones', async () => {
  await put('f/a');
  await writeFile(join(root, 'f/.tmp-dead'), '');
  await writeFile(join(root, 'f/.tmp-living'), '');
  await utimes(join(root, 'f/.tmp-dead'), new Date(0), new Date(0));
  expect(await store.sweepUnfinished('f/', new Date(Date.now() - 60_000), options)).toBe(1);
  expect((await readdir(join(root, 'f'))).sort()).toEqual(['.tmp-living', 'a']);
});

test('a volume that is not mounted is told, and no folder is made in its place', async () => {
  const missing = join(mount, randomBytes(4).toString('hex'));
  const here = volumeStore({ mount: missing, path: 'tidemark', claimName: 'offsite' });
  await expect(here.put('a', Buffer.from('x'), { ifAbsent: true, signal })).rejects.toMatchObject({
    reason: 'VolumeMissing',
    message: expect.stringContaining('offsite'),
  });
  expect(await readdir(mount)).toEqual([]);
});

test('an object that does not exist is told before the first byte', async () => {
  await expect(store.download('none/a', options)).rejects.toMatchObject({ reason: 'NoSuchObject' });
  await expect(store.get('a', options)).rejects.toMatchObject({ reason: 'NoSuchObject' });
});

test('another user’s folder is AccessDenied, with what to change', async () => {
  await mkdir(root, { recursive: true });
  await chmod(mount, 0o755);
  await chmod(root, 0o555);
  const { seteuid } = process;
  seteuid?.call(process, 65_534);
  try {
    await expect(put('a')).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.stringContaining('fsGroup'),
    });
  } finally {
    seteuid?.call(process, 0);
  }
});
