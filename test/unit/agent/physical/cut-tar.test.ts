import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTarCutter } from '../../../../src/agent/physical/cut-tar.ts';
import { endOfTar } from '../../../../src/stream/tar.ts';

/** Pushes a tar in steps, and gives the chunks as whole tars. */
function cut(tar: Buffer, target: number, step: number) {
  const cutter = createTarCutter(target);
  const chunks: Buffer[][] = [];
  let open = false;
  for (let at = 0; at < tar.length; at += step) {
    for (const piece of cutter.push(tar.subarray(at, at + step))) {
      if (piece === 'Cut') open = false;
      else {
        if (!open) chunks.push([]);
        open = true;
        chunks.at(-1)?.push(Buffer.from(piece));
      }
    }
  }
  cutter.end();
  return { chunks: chunks.map((pieces) => Buffer.concat([...pieces, endOfTar])), owner: cutter.owner() };
}

function within<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-cut-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function contentOf(folder: string): readonly (readonly [string, string])[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      return [name, statSync(path).isDirectory() ? 'folder' : readFileSync(path, 'base64')] as const;
    });
}

const names = fc.string({ unit: fc.constantFrom(...'abcdefgh0123_'), minLength: 1, maxLength: 180 });
const files = fc.uniqueArray(
  fc.record({ folder: fc.constantFrom('base/1', 'base/16384', 'global', '.'), name: names, size: fc.nat(9000) }),
  { minLength: 1, maxLength: 10, selector: ({ folder, name }) => `${folder}/f${name}` },
);

it.each(['ustar-like names by pax', 'names by GNU entries'])(
  'the chunks of any tar unpack to what it holds (%s)',
  (kind) => {
    const format = kind.includes('pax') ? 'pax' : 'gnu';
    fc.assert(
      fc.property(
        files,
        fc.integer({ min: 1024, max: 20_000 }),
        fc.integer({ min: 1, max: 3000 }),
        (made, target, step) => {
          within((folder) => {
            const from = join(folder, 'from');
            const to = join(folder, 'to');
            mkdirSync(from);
            mkdirSync(to);
            for (const { folder: within, name, size } of made) {
              const path = join(from, within, `f${name}`);
              mkdirSync(dirname(path), { recursive: true });
              writeFileSync(path, Buffer.alloc(size, name));
            }
            mkdirSync(join(from, 'global'), { recursive: true });
            symlinkSync('global', join(from, 'link'));
            const tar = execFileSync('tar', ['-c', `--format=${format}`, '-C', from, '.']);
            const { chunks } = cut(tar, target, step);
            for (const chunk of chunks) execFileSync('tar', ['-x', '-C', to], { input: chunk });
            const largest = Math.max(0, ...made.map(({ size }) => size)) + 4096;
            for (const chunk of chunks)
              expect(chunk.length).toBeLessThanOrEqual(Math.max(target, largest) + largest + 1024);
            expect(contentOf(to)).toEqual(contentOf(from));
          });
        },
      ),
      { numRuns: 25 },
    );
  },
);

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name);
  block.write('0000600\0', 100);
  block.write('0000145\0', 108);
  block.write('0000150\0', 116);
  if (size < 8 * 1024 ** 3) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

const member = (name: string, size: number) =>
  Buffer.concat([header(name, size), Buffer.alloc(Math.ceil(size / 512) * 512, 1)]);

it('a member above the target is a chunk of its own', () => {
  const tar = Buffer.concat([member('a', 512), member('b', 5000), member('c', 512), member('d', 512), endOfTar]);
  const { chunks } = cut(tar, 2048, 700);
  expect(chunks.map(({ length }) => length - endOfTar.length)).toEqual([1024, 5632, 2048]);
});

it('the end of a tar may be missing, as PostgreSQL 14 leaves it', () => {
  expect(cut(member('a', 100), 2048, 512).chunks).toEqual([Buffer.concat([member('a', 100), endOfTar])]);
});

it('the owner is the first member’s', () => {
  expect(cut(member('a', 1), 2048, 512).owner).toEqual({ uid: 0o145, gid: 0o150 });
});

it('a size beyond 8 GiB is read', () => {
  const cutter = createTarCutter(1024);
  cutter.push(header('big', 9 * 1024 ** 3));
  expect(() => cutter.end()).toThrow(/middle of a file/);
});

it('what is no tar is refused', () => {
  expect(() => createTarCutter(1024).push(Buffer.alloc(512, 7))).toThrow(/no tar/);
});
