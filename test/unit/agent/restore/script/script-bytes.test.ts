import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openScript } from '../../../../../src/agent/restore/script/script-bytes.ts';

let folder: string;
let path: string;
const { signal } = new AbortController();
const text = Buffer.from(Array.from({ length: 400_000 }, (_, row) => `${row}\t${(row * 7919) % 1009}\n`).join(''));
const script = { size: text.length };
const packers = { zstd: promisify(zstdCompress), gzip: promisify(gzip), none: async (bytes: Buffer) => bytes } as const;
const algorithms = ['zstd', 'gzip', 'none'] as const;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-script-'));
  path = join(folder, 'dump');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function copyOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of pieces) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

test.each(algorithms)('ranges are read one after the other of a script packed with %s', async (algorithm) => {
  await writeFile(path, await packers[algorithm](text));
  const bytes = openScript(path, { script, compression: { algorithm }, signal });
  const ranges = [
    { start: 0, end: 10 },
    { start: 10, end: 1_500_000 },
    { start: 1_500_001, end: 1_500_002 },
    { start: 3_000_000, end: text.length - 7 },
  ];
  for (const range of ranges)
    expect((await copyOf(bytes.read(range))).equals(text.subarray(range.start, range.end))).toBe(true);
  await bytes.end();
  await bytes.close();
});

test('who leaves a range in its middle gets the next one whole', async () => {
  await writeFile(path, await packers.zstd(text));
  const bytes = openScript(path, { script, compression: { algorithm: 'zstd' }, signal });
  for await (const piece of bytes.read({ start: 0, end: text.length - 10 })) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  expect((await copyOf(bytes.read({ start: text.length - 10, end: text.length }))).equals(text.subarray(-10))).toBe(
    true,
  );
  await bytes.close();
});

test('a range that has passed is not given empty', async () => {
  await writeFile(path, text);
  const bytes = openScript(path, { script, compression: { algorithm: 'none' }, signal });
  await copyOf(bytes.read({ start: 0, end: 2_500_000 }));
  await expect(copyOf(bytes.read({ start: 5, end: 8 }))).rejects.toThrow('again');
  await bytes.close();
});

test('a script that is not the one that was read is no end of it', async () => {
  await writeFile(path, text);
  const longer = openScript(path, { script: { size: text.length - 1 }, compression: { algorithm: 'none' }, signal });
  await copyOf(longer.read({ start: 0, end: 100 }));
  await expect(longer.end()).rejects.toThrow(`holds ${text.length} bytes of a script of ${text.length - 1}`);
  await writeFile(path, await packers.zstd(text));
  await truncate(path, 100_000);
  const cut = openScript(path, { script, compression: { algorithm: 'zstd' }, signal });
  await expect(copyOf(cut.read({ start: 0, end: text.length }))).rejects.toThrow();
});
