import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { probeStore } from '../../../src/repository/probe.ts';
import type { Store } from '../../../src/repository/store.ts';
import { kinds, type Started } from './contract-stores.ts';

// What src/repository/store.ts promises, of every kind of store, each over a real server.
const partSize = 16 * 1024 ** 2;
const { signal } = new AbortController();
const options = { signal };
const always = new Date(8.64e15);

describe.each(kinds)('$name', ({ start, conditionalPut }) => {
  let server: Started;
  let store: Store;
  let folder: string;
  beforeAll(async () => {
    server = await start();
    store = server.store;
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });
  beforeEach(() => {
    folder = randomBytes(4).toString('hex');
  });

  async function* stream(size: number, chunkSize = 100_000) {
    for (let left = size; left > 0; left -= chunkSize) yield Buffer.alloc(Math.min(left, chunkSize), left % 255);
  }
  const put = (key: string, body = 'x', ifAbsent = true) => store.put(key, Buffer.from(body), { ifAbsent, signal });
  const listed = async (prefix: string) => (await Array.fromAsync(store.list(prefix, options))).map(({ key }) => key);
  const nothingIsLeft = async () => {
    expect(await listed(`${folder}/`)).toEqual([]);
    expect(await store.sweepUnfinished(`${folder}/`, always, options)).toBe(0);
    expect(await Array.fromAsync(store.listFolders(`${folder}/`, options))).toEqual([]);
  };
  const digestOf = async (source: AsyncIterable<Buffer>) => {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.length;
    }
    return { size, sha256: `sha256:${hash.digest('hex')}` };
  };

  test('the probe finds every call in order', async () => {
    expect(await probeStore(store, signal)).toEqual({ capabilities: { conditionalPut, objectLock: false } });
    expect(await listed('.tidemark-probe/')).toEqual([]);
  });

  test('gives back what was put, its size and when', async () => {
    await put(`${folder}/a b+c=%41#?é`, 'content');
    expect((await store.get(`${folder}/a b+c=%41#?é`, options)).toString()).toBe('content');
    const head = await store.head(`${folder}/a b+c=%41#?é`, options);
    expect(head?.size).toBe(7);
    expect(head?.lock).toBeUndefined();
    // Not every kind of store tells it here.
    expect(Math.abs((head?.lastModified ?? new Date()).getTime() - Date.now())).toBeLessThan(60_000);
    expect(await store.head(`${folder}/b`, options)).toBeUndefined();
    expect(await store.head(folder, options)).toBeUndefined();
    const [found] = await Array.fromAsync(store.list(`${folder}/`, options));
    expect(found).toMatchObject({ key: `${folder}/a b+c=%41#?é`, size: 7 });
    expect(Math.abs((found?.lastModified.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('an existing key stays as it is where ifAbsent is set, and is replaced where not', async () => {
    await put(`${folder}/a`, 'first');
    await expect(put(`${folder}/a`, 'other')).rejects.toMatchObject({ reason: 'ObjectExists', retryable: false });
    expect((await store.get(`${folder}/a`, options)).toString()).toBe('first');
    await put(`${folder}/a`, 'third', false);
    expect((await store.get(`${folder}/a`, options)).toString()).toBe('third');
    expect(await listed(`${folder}/`)).toEqual([`${folder}/a`]);
    expect(await store.sweepUnfinished(`${folder}/`, always, options)).toBe(0);
  });

  test('of several writers of one key at once exactly one wins', async () => {
    const key = `${folder}/claim`;
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => put(key, `writer ${index}`)));
    const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ reason: 'ObjectExists' });
    expect(winners.length).toBe(1);
    expect((await store.get(key, options)).toString()).toBe(`writer ${winners[0]}`);
    expect(await listed(`${folder}/`)).toEqual([key]);
    expect(await store.sweepUnfinished(`${folder}/`, always, options)).toBe(0);
  });

  test('of two uploads of one key at once exactly one wins, and nothing is left of the other', async () => {
    const key = `${folder}/claim`;
    const outcomes = await Promise.allSettled(
      [1, 2].map((extra) => store.upload(key, stream(partSize + extra), options)),
    );
    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(won.length).toBe(1);
    expect((await store.head(key, options))?.size).toBe(won[0]?.size);
    expect((await digestOf(await store.download(key, options))).sha256).toBe(won[0]?.sha256);
    expect(await listed(`${folder}/`)).toEqual([key]);
    expect(await store.sweepUnfinished(`${folder}/`, always, options)).toBe(0);
  });

  test.each([
    ['nothing', 0],
    ['one byte', 1],
    ['exactly one part', partSize],
    ['several parts', 2 * partSize + 12_345],
  ])('uploads and downloads %s, and says how far it is', async (_, size) => {
    const expected = await digestOf(stream(size));
    const progress: number[] = [];
    const onProgress = (stored: number) => void progress.push(stored);
    expect(await store.upload(`${folder}/s`, stream(size), { signal, onProgress })).toEqual(expected);
    expect(progress.at(-1) ?? 0).toBe(size);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    const sparing = size <= partSize;
    expect(await digestOf(await store.download(`${folder}/s`, { signal, sparing, lent: sparing }))).toEqual(expected);
    expect(await store.sweepUnfinished(`${folder}/`, always, options)).toBe(0);
  });

  test.each([
    ['before the first part is full', 1000],
    ['after several parts', 3 * partSize],
  ])('a stream that fails %s leaves nothing, and its own error is told', async (_, size) => {
    async function* failing() {
      yield* stream(size);
      throw new Error('pg_dump exited with code 1');
    }
    await expect(store.upload(`${folder}/broken`, failing(), options)).rejects.toThrow('pg_dump exited with code 1');
    await nothingIsLeft();
  });

  test('an abort ends an upload at once, also while the stream is silent, and leaves nothing', async () => {
    const abort = new AbortController();
    async function* silent() {
      yield* stream(2 * partSize);
      abort.abort();
      await new Promise(() => undefined);
    }
    const upload = store.upload(`${folder}/stopped`, silent(), { signal: abort.signal });
    await expect(upload).rejects.toMatchObject({ reason: 'Cancelled', retryable: true });
    await nothingIsLeft();
  });

  test('an upload never overwrites, and does not read its stream then', async () => {
    await put(`${folder}/there`, 'old');
    let read = false;
    async function* source() {
      read = true;
      yield Buffer.from('new');
    }
    await expect(store.upload(`${folder}/there`, source(), options)).rejects.toMatchObject({ reason: 'ObjectExists' });
    expect(read).toBe(false);
    expect((await store.get(`${folder}/there`, options)).toString()).toBe('old');
  });

  test('an object that does not exist is told before the first byte', async () => {
    const refusal = { reason: 'NoSuchObject', retryable: false };
    await expect(store.download(`${folder}/none`, options)).rejects.toMatchObject(refusal);
    await expect(store.get(`${folder}/none`, options)).rejects.toMatchObject(refusal);
  });

  test('a reader that stops early, and one that is aborted, end their download', async () => {
    await store.upload(`${folder}/s`, stream(2 * partSize), options);
    for await (const _ of await store.download(`${folder}/s`, options)) break;
    const abort = new AbortController();
    const reading = digestOf(
      (async function* () {
        for await (const chunk of await store.download(`${folder}/s`, { signal: abort.signal })) {
          abort.abort();
          yield chunk;
        }
      })(),
    );
    await expect(reading).rejects.toThrow();
  });

  test('a small object is read whole, a large one refused', async () => {
    await store.upload(`${folder}/large`, stream(4 * partSize + 1), options);
    await expect(store.get(`${folder}/large`, options)).rejects.toMatchObject({ reason: 'ObjectTooLarge' });
  });

  test('lists in the order of keys, and the folders', async () => {
    const keys = ['a-b/x', 'a.b/x', 'a/b', 'a/c/d', 'a0', 'b'].map((key) => `${folder}/${key}`);
    for (const key of keys.toReversed()) await put(key);
    expect(await listed(`${folder}/`)).toEqual(keys);
    expect(await listed(`${folder}/a/`)).toEqual([`${folder}/a/b`, `${folder}/a/c/d`]);
    expect(await listed(`${folder}/none/`)).toEqual([]);
    expect(await Array.fromAsync(store.listFolders(`${folder}/`, options))).toEqual(['a-b', 'a.b', 'a']);
    expect(await Array.fromAsync(store.listFolders('', options))).toContain(folder);
  });

  test('lists more than a thousand keys in order, and deletes them', async () => {
    const keys = Array.from({ length: 1100 }, (_, index) => `${folder}/many/${String(index).padStart(5, '0')}`);
    if (server.seed !== undefined) await server.seed(keys);
    for (let from = 0; from < keys.length && server.seed === undefined; from += 50)
      await Promise.all(keys.slice(from, from + 50).map((key) => put(key, 'x', false)));
    await put(`${folder}/other/x`);
    expect(await listed(`${folder}/many/`)).toEqual(keys);
    await store.delete([...keys, `${folder}/never-there`], options);
    expect(await listed(`${folder}/`)).toEqual([`${folder}/other/x`]);
    expect(await Array.fromAsync(store.listFolders(`${folder}/`, options))).toEqual(['other']);
    await store.delete([`${folder}/other/x`], options);
    await nothingIsLeft();
  });
});
