import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { extractTar, NotATar } from '../../../src/stream/extract-tar.ts';
import { writeTar } from '../../support/write-tar.ts';

let root: string;
let from: string;
let to: string;
const signal = new AbortController().signal;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidemark-extract-'));
  [from, to] = [join(root, 'from'), join(root, 'to')];
  mkdirSync(from);
  mkdirSync(to);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function* pieces(bytes: Buffer, size = 10_000) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const tarOf = (folder: string) => execFileSync('tar', ['-c', '-C', folder, '.'], { maxBuffer: 2 ** 24 });
const zstd = { algorithm: 'zstd' } as const;
// As the program zstd packs: with a checksum of what went in.
const packed = (bytes: Buffer) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

test.each(['zstd', 'none'] as const)('lays what tar has packed, with its modes, packed with %s', async (algorithm) => {
  mkdirSync(join(from, 'base/1'), { recursive: true });
  const large = Buffer.from(Array.from({ length: 400_000 }, (_, index) => index % 251));
  writeFileSync(join(from, 'base/1/2619'), large);
  writeFileSync(join(from, 'empty'), '');
  writeFileSync(join(from, 'ausführbar'), 'x');
  chmodSync(join(from, 'ausführbar'), 0o750);
  mkdirSync(join(from, 'x'.repeat(90), 'y'.repeat(90)), { recursive: true });
  writeFileSync(join(from, 'x'.repeat(90), 'y'.repeat(90), 'long'), 'name');
  symlinkSync('/somewhere/else', join(from, 'link'));
  mkdirSync(join(from, 'read-only'));
  writeFileSync(join(from, 'read-only/file'), 'in it');
  chmodSync(join(from, 'read-only'), 0o550);
  const stored = algorithm === 'zstd' ? packed(tarOf(from)) : tarOf(from);
  // Once more over what is there, as after an attempt that was cut short.
  for (let time = 0; time < 2; time += 1)
    await extractTar(pieces(stored), { folder: to, compression: { algorithm }, signal });
  expect((await readdir(to, { recursive: true })).sort()).toEqual((await readdir(from, { recursive: true })).sort());
  expect(readFileSync(join(to, 'base/1/2619')).equals(large)).toBe(true);
  expect(readFileSync(join(to, 'x'.repeat(90), 'y'.repeat(90), 'long'), 'utf8')).toBe('name');
  expect(statSync(join(to, 'ausführbar')).mode & 0o7777).toBe(0o750);
  expect(statSync(join(to, 'read-only')).mode & 0o7777).toBe(0o550);
  expect(await readlink(join(to, 'link'))).toBe('/somewhere/else');
});

test('lays files whole, wherever the memory that is freed behind them ends', async () => {
  const mebibyte = 1024 ** 2;
  // What is unpacked comes a mebibyte at a time: headers, contents and padding lie across the ends of it.
  const sizes = [
    mebibyte - 1024,
    0,
    1,
    511,
    700,
    mebibyte,
    3 * mebibyte + 5,
    2 * mebibyte - 512,
    40,
    mebibyte - 700,
    9,
  ];
  const files = sizes.map((size, index) => [`file-${index}`, randomBytes(size)] as const);
  await extractTar(pieces(packed(await writeTar(files))), { folder: to, compression: zstd, signal });
  for (const [name, content] of files) expect(readFileSync(join(to, name)).equals(content), name).toBe(true);
});

test.each([
  ['cut short', (whole: Buffer) => whole.subarray(0, -30)],
  [
    'with a flipped bit',
    (whole: Buffer) => Buffer.from(whole.map((byte, at) => (at === whole.length >> 1 ? byte ^ 1 : byte))),
  ],
  ['that is none', () => Buffer.from('hello, I am no frame')],
  ['of no tar', () => packed(Buffer.alloc(4096, 'junk'))],
  ['of a tar that is cut short', () => packed(tarOf(from).subarray(0, 2000))],
])('a frame %s is an error', async (_what, spoil) => {
  writeFileSync(
    join(from, 'file'),
    Buffer.from(Array.from({ length: 100_000 }, () => Math.floor(Math.random() * 256))),
  );
  const source = pieces(spoil(packed(tarOf(from))));
  await expect(extractTar(source, { folder: to, compression: zstd, signal })).rejects.toThrow();
});

test('the error of what is read is the one that is told', async () => {
  writeFileSync(join(from, 'file'), Buffer.alloc(300_000, 'x'));
  const tar = tarOf(from);
  const why = new Error('the store has gone');
  async function* breaking() {
    yield tar.subarray(0, 100_000);
    throw why;
  }
  await expect(extractTar(breaking(), { folder: to, compression: { algorithm: 'none' }, signal })).rejects.toBe(why);
});

test('an abort ends it with its reason, also while nothing comes', async () => {
  const ending = new AbortController();
  const why = new Error('the pod is to stop');
  async function* silent() {
    yield tarOf(from).subarray(0, 512);
    ending.abort(why);
    await new Promise(() => undefined);
  }
  const options = { folder: to, compression: { algorithm: 'none' }, signal: ending.signal } as const;
  await expect(extractTar(silent(), options)).rejects.toBe(why);
});

test.each([
  { name: '../outside', type: 'file' },
  { name: '/etc/passwd', type: 'file' },
  { name: 'a/../../b', type: 'directory' },
  { name: 'device', type: 'character-device' },
] as const)('$name as $type is refused', async (header) => {
  const archive = pack();
  archive.entry(header);
  archive.finalize();
  const options = { folder: to, compression: { algorithm: 'none' }, signal } as const;
  await expect(extractTar(archive as AsyncIterable<Buffer>, options)).rejects.toThrow(NotATar);
  expect(await readdir(root, { recursive: true })).toEqual(expect.not.arrayContaining(['outside', 'b']));
});

test.each([
  ['a file', 'link/file'],
  ['a folder', 'link/a/b/'],
])(
  '%s that an archive lays through a link of its own is refused, and nothing comes out of the folder',
  async (_, name) => {
    const archive = pack();
    archive.entry({ name: 'link', type: 'symlink', linkname: from });
    archive.entry({ name, type: name.endsWith('/') ? 'directory' : 'file' }, name.endsWith('/') ? '' : 'x');
    archive.finalize();
    const options = { folder: to, compression: { algorithm: 'none' }, signal } as const;
    await expect(extractTar(archive as AsyncIterable<Buffer>, options)).rejects.toThrow(NotATar);
    expect(await readdir(from)).toEqual([]);
  },
);

test('a full disk is told as such', async () => {
  const small = join(root, 'small');
  mkdirSync(small);
  writeFileSync(join(from, 'file'), Buffer.alloc(5_000_000, 'x'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  try {
    const options = { folder: small, compression: { algorithm: 'none' }, signal } as const;
    await expect(extractTar(pieces(tarOf(from)), options)).rejects.toMatchObject({ code: 'ENOSPC' });
  } finally {
    execFileSync('umount', [small]);
  }
});
