import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StrangeTar, unpackTar } from '../../../../src/agent/restore/unpack-tar.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-tar-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const { signal } = new AbortController();

function tarOf(
  ...entries: readonly {
    readonly name: string;
    readonly type?: 'symlink' | 'directory';
    readonly linkname?: string;
  }[]
) {
  const archive = pack();
  for (const header of entries) {
    if (header.type === undefined) archive.entry(header, 'content');
    else archive.entry(header);
  }
  archive.finalize();
  return archive as AsyncIterable<Buffer>;
}

test('plain files are unpacked, and what follows the end is read too', async () => {
  let read = 0;
  async function* padded() {
    for await (const chunk of tarOf({ name: 'toc.dat' }, { name: 'blob_9001.dat' })) yield chunk;
    for (let block = 0; block < 100; block += 1) {
      read += 1;
      yield Buffer.alloc(10_240);
    }
  }
  await unpackTar(padded(), folder, signal);
  expect((await readdir(folder)).sort()).toEqual(['blob_9001.dat', 'toc.dat']);
  expect(await readFile(join(folder, 'toc.dat'), 'utf8')).toBe('content');
  expect(read).toBe(100);
});

test.each([
  [{ name: '../escaped' }],
  [{ name: '/tmp/escaped' }],
  [{ name: 'a/b' }],
  [{ name: '.hidden' }],
  [{ name: 'link', type: 'symlink', linkname: '/etc/passwd' }],
  [{ name: 'folder', type: 'directory' }],
] as const)('%j is refused', async (header) => {
  await expect(unpackTar(tarOf(header), folder, signal)).rejects.toThrow(StrangeTar);
  expect(await readdir(folder)).toEqual([]);
});

test('an error of the stream is the error', async () => {
  async function* broken() {
    for await (const chunk of tarOf({ name: 'toc.dat' })) {
      yield chunk.subarray(0, 100);
      throw new Error('the checksum is wrong');
    }
  }
  await expect(unpackTar(broken(), folder, signal)).rejects.toThrow('the checksum is wrong');
});

test('what was damaged is unpacked anew, from another repository', async () => {
  async function* broken() {
    for await (const chunk of tarOf({ name: '1.dat' }, { name: 'toc.dat' })) yield chunk;
    throw new Error('the checksum is wrong');
  }
  await expect(unpackTar(broken(), folder, signal)).rejects.toThrow('the checksum is wrong');
  expect(await readdir(folder)).toEqual([]);
  await unpackTar(tarOf({ name: '1.dat' }, { name: 'toc.dat' }), folder, signal);
  expect((await readdir(folder)).sort()).toEqual(['1.dat', 'toc.dat']);
});
