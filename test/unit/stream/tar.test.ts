import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runPipeline } from '../../../src/stream/pipeline.ts';
import { listFiles, planChunks, tarPacker } from '../../../src/stream/tar.ts';
import { tarExtract } from '../../support/tar-extract.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-tar-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('every file is in exactly one chunk, and only a file larger than the limit makes a chunk larger', () => {
  const files = fc
    .array(fc.nat({ max: 100_000 }), { maxLength: 60 })
    .map((sizes) => sizes.map((size, index) => ({ path: `${index}.dat`, size })));
  fc.assert(
    fc.property(files, fc.integer({ min: 20_480, max: 200_000 }), (given, limit) => {
      const chunks = planChunks(given, limit);
      const packed = chunks.flatMap((chunk) => chunk.files.map(({ path }) => path));
      expect(packed.sort()).toEqual(given.map(({ path }) => path).sort());
      for (const chunk of chunks) expect(chunk.size <= limit || chunk.files.length === 1).toBe(true);
    }),
  );
});

test('no chunk has more names than fit into a command line', () => {
  const files = Array.from({ length: 10_000 }, (_, index) => ({ path: `${index}.dat`, size: 0 }));
  expect(planChunks(files).map((chunk) => chunk.files.length)).toEqual([4096, 4096, 1808]);
});

test('chunks unpack into the same files in any order, with the planned size', async () => {
  const source = join(folder, 'source');
  const target = join(folder, 'target');
  await mkdir(source);
  await mkdir(target);
  const names = ['toc.dat', '-rf', 'a b.dat', '4.dat', '5.dat'];
  for (const [index, name] of names.entries()) await writeFile(join(source, name), Buffer.alloc(index * 9000, name));
  const { signal } = new AbortController();
  const chunks = planChunks(await listFiles(source), 40_960);
  expect(chunks.length).toBeGreaterThan(1);
  for (const chunk of [...chunks].reverse()) {
    const packed = await Array.fromAsync(runPipeline([tarPacker(source, chunk.files)], { signal }).output);
    expect(Buffer.concat(packed).length).toBe(chunk.size);
    async function* input() {
      yield* packed;
    }
    await runPipeline([tarExtract(target)], { signal, input: input(), stdout: 'ignore', mayStopReading: true })
      .finished;
  }
  expect((await readdir(target)).sort()).toEqual([...names].sort());
  for (const name of names)
    expect((await readFile(join(target, name))).equals(await readFile(join(source, name)))).toBe(true);
});
