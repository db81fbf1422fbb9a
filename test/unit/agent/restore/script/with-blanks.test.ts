import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gaps } from '../../../../../src/agent/restore/script/script-parts.ts';
import { withBlanks } from '../../../../../src/agent/restore/script/with-blanks.ts';

let folder: string;
let path: string;
const script = '\\restrict k\nSELECT 1;\n\\unrestrict k\n';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-blanks-'));
  path = join(folder, 'dump');
  await writeFile(path, script);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('who reads the file finds line breaks in the place of what is left out, and everything else where it was', async () => {
  const ranges = gaps([{ start: 12, end: 22 }], script.length);
  expect(ranges).toEqual([
    { start: 0, end: 12 },
    { start: 22, end: script.length },
  ]);
  const read = await withBlanks(path, ranges, (file) => file.readFile('utf8'));
  expect(read).toBe(`${'\n'.repeat(12)}SELECT 1;\n${'\n'.repeat(script.length - 22)}`);
  expect(await readFile(path, 'utf8')).toBe(script);
});

test('the file is as it was also where its reader failed', async () => {
  const failing = withBlanks(path, [{ start: 0, end: 11 }], async () => {
    throw new Error('psql was killed');
  });
  await expect(failing).rejects.toThrow('psql was killed');
  expect(await readFile(path, 'utf8')).toBe(script);
});

test('a file that has become shorter is not taken for the whole', async () => {
  const ranges = [{ start: script.length - 3, end: script.length + 3 }];
  await expect(withBlanks(path, ranges, (file) => file.readFile())).rejects.toThrow('ends before byte');
});

test.each([
  [[], [{ start: 0, end: 9 }]],
  [[{ start: 0, end: 9 }], []],
  [
    [
      { start: 0, end: 2 },
      { start: 2, end: 3 },
      { start: 5, end: 9 },
    ],
    [{ start: 3, end: 5 }],
  ],
])('between %j lie %j', (parts, expected) => {
  expect(gaps(parts, 9)).toEqual(expected);
});
