import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { transient } from '../../../src/domain/failure.ts';
import { mirroredStore, orFromAnother } from '../../../src/repository/mirrored-store.ts';
import type { Store } from '../../../src/repository/store.ts';
import { volumeStore } from '../../../src/repository/volume.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';

let root: string;
let one: Store;
let two: Store;
let told: string[];
let both: Store;
const signal = AbortSignal.timeout(120_000);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-mirror-'));
  for (const name of ['one', 'two']) await mkdir(join(root, name));
  [one, two] = ['one', 'two'].map((name) =>
    volumeStore({ mount: join(root, name), claimName: name, path: 'backups' }),
  ) as [Store, Store];
  told = [];
  const mirrors = [
    { name: 'one', store: one },
    { name: 'two', store: two },
  ];
  both = mirroredStore(mirrors, (key, from) => void told.push(`${key} from ${from}`));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const put = (store: Store, key: string, text: string) => store.put(key, Buffer.from(text), { ifAbsent: false, signal });
const get = async (key: string) => (await both.get(key, { signal })).toString();
const takeAway = (name: string) => rename(join(root, name), join(root, `${name}-away`));

test('the first is read first, and what it lacks comes from the next, which is told', async () => {
  await put(one, 'a', 'one');
  await put(two, 'a', 'two');
  await put(two, 'b', 'two');
  expect([await get('a'), await get('b')]).toEqual(['one', 'two']);
  expect(await both.head('b', { signal })).toMatchObject({ size: 3 });
  expect(new Set(told)).toEqual(new Set(['b from two']));
});

test('that nothing is there is said only where both say so', async () => {
  await expect(get('c')).rejects.toMatchObject({ reason: 'NoSuchObject' });
  expect(await both.head('c', { signal })).toBeUndefined();
  await takeAway('two');
  await expect(get('c')).rejects.not.toMatchObject({ reason: 'NoSuchObject' });
  await expect(get('c')).rejects.toThrow(/do not have c, but that one might: .* source\.repository/);
  await expect(both.head('c', { signal })).rejects.toThrow();
});

test('what is listed is what any of them has, each once', async () => {
  for (const [store, key] of [
    [one, 'f/a'],
    [two, 'f/a'],
    [two, 'f/b'],
    [one, 'f/c'],
  ] as const)
    await put(store, key, 'x');
  expect((await Array.fromAsync(both.list('f/', { signal }))).map(({ key }) => key)).toEqual(['f/a', 'f/b', 'f/c']);
  expect(await Array.fromAsync(both.listFolders('', { signal }))).toEqual(['f']);
  await takeAway('one');
  expect((await Array.fromAsync(both.list('f/', { signal }))).map(({ key }) => key)).toEqual(['f/a', 'f/b']);
  expect(told).toEqual(['f/ from the others']);
  await takeAway('two');
  await expect(Array.fromAsync(both.list('f/', { signal }))).rejects.toThrow();
});

test('what is damaged is read from another, as long as there is one', async () => {
  await put(one, 'a', 'bent');
  await put(two, 'a', 'sent');
  const read = (wanted: string) =>
    orFromAnother(both, 'a', async () => {
      const text = await get('a');
      if (text !== wanted) throw transient('ChecksumMismatch', `It is ${text}.`);
      return text;
    });
  expect(await read('sent')).toBe('sent');
  await expect(read('else')).rejects.toMatchObject({ message: 'It is sent.' });
});

test('a segment that is damaged in one archive comes whole from the other', async () => {
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1' };
  const name = '000000010000000000000003';
  const content = Buffer.alloc(4096, 7);
  for (const store of [one, two]) await openWalArchive(store, location).put(name, content, { signal });
  const archive = openWalArchive(both, location);
  await put(one, archive.keysOf(name).key, 'no frame');
  expect((await archive.get(name, { signal }))?.equals(content)).toBe(true);
});

test('nothing is written', async () => {
  await expect(both.put('a', Buffer.from('x'), { ifAbsent: true, signal })).rejects.toThrow('written to none');
});
