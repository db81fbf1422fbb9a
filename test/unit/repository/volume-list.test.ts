import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listFiles, listSubfolders } from '../../../src/repository/volume-list.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-list-'));
});
afterEach(() => rm(folder, { recursive: true }));

const keys = async (pageSize: number) =>
  (await Array.fromAsync(listFiles(folder, 'p/', pageSize))).map(({ key }) => key);

async function write(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), name);
  }
}

/** By the bytes of UTF-8. */
const sorted = (names: readonly string[]) =>
  names.map((name) => `p/${name}`).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

test.each([1, 2, 3, 7, 1000])('in pages of %i a folder is listed whole, in order and once', async (pageSize) => {
  const names = [
    'a.b',
    'a/b',
    'a0',
    'a/c/d',
    'z',
    'ä',
    '\u{ffff}',
    '\u{1f600}',
    ...Array.from({ length: 40 }, (_, n) => `n${n}`),
  ];
  await write(...names);
  expect(await keys(pageSize)).toEqual(sorted(names));
  expect(await Array.fromAsync(listSubfolders(folder, pageSize))).toEqual(['a']);
});

test('links, temporary files and lost+found are not there', async () => {
  await write('there', '.tmp-half', 'lost+found/x');
  await symlink(join(folder, 'there'), join(folder, 'link'));
  expect(await keys(2)).toEqual(['p/there']);
});

test('what was never there is empty', async () => {
  expect(await Array.fromAsync(listFiles(join(folder, 'none'), ''))).toEqual([]);
  expect(await Array.fromAsync(listSubfolders(join(folder, 'none')))).toEqual([]);
});
