import { randomBytes } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { transient } from '../../../src/domain/failure.ts';
import { free, isPacked, pack, unpack } from '../../../src/repository/wal-packing.ts';
import type { Compression } from '../../../src/stream/compress.ts';

const { signal } = new AbortController();
const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000)]);
const other = Buffer.concat([content.subarray(0, -1), Buffer.from([1])]);

/** As a store gives what is too large to be had at once; the first piece is less than a magic number. */
async function* inPieces(stored: Buffer, failure?: Error): AsyncGenerator<Buffer> {
  yield stored.subarray(0, 3);
  for (let at = 3; at < stored.length; at += 65_536) yield stored.subarray(at, at + 65_536);
  if (failure !== undefined) throw failure;
}

const forms = [
  ['whole', (stored: Buffer) => stored],
  ['in pieces', (stored: Buffer) => inPieces(stored)],
] as const;

describe.each<Compression>([
  { algorithm: 'zstd', level: 1 },
  { algorithm: 'zstd', level: 19 },
  { algorithm: 'gzip' },
  { algorithm: 'gzip', level: 9 },
  { algorithm: 'lz4' },
  { algorithm: 'lz4', level: 12 },
  { algorithm: 'none' },
])('WAL packed with $algorithm (level $level)', async (compression) => {
  const packed = await pack(content, compression, signal);
  const damaged = Buffer.from(packed);
  damaged.writeUInt8(damaged.readUInt8(1000) ^ 1, 1000);
  const beginning = Buffer.from(packed);
  beginning.writeUInt8(beginning.readUInt8(0) ^ 1, 0);
  const unusable: readonly (readonly [string, Buffer])[] = [
    ['damaged', damaged],
    ['damaged in its first byte', beginning],
    ['cut off', packed.subarray(0, -5)],
    ['cut off by one byte', packed.subarray(0, -1)],
    ['cut off in its first bytes', packed.subarray(0, 3)],
    ['nothing', Buffer.alloc(0)],
    ['followed by one byte', Buffer.concat([packed, Buffer.from('x')])],
    ['followed by something else', Buffer.concat([packed, content])],
    ['followed by zeros', Buffer.concat([packed, Buffer.alloc(2_000_000)])],
  ];

  test.each(forms)('is unpacked %s', async (_, given) => {
    expect((await unpack(given(packed), 'here', signal)).equals(content)).toBe(true);
  });

  test.each(forms)('is not unpacked %s where it is not as it was packed', async (_, given) => {
    for (const [what, wrong] of unusable) {
      const mismatch = { reason: 'ChecksumMismatch', message: expect.stringMatching(/^here is damaged/) };
      await expect(unpack(given(wrong), 'here', signal), what).rejects.toMatchObject(mismatch);
      expect(await isPacked(given(wrong), content, signal), what).toBe(false);
    }
  });

  test.each(forms)('is just the same content %s', async (_, given) => {
    expect(await isPacked(given(packed), content, signal)).toBe(true);
    for (const wrong of [other, content.subarray(0, -1), Buffer.concat([content, Buffer.alloc(1)]), Buffer.alloc(0)])
      expect(await isPacked(given(packed), wrong, signal)).toBe(false);
  });

  test('says nothing of the content when the store fails in its middle', async () => {
    const failure = transient('StoreUnreachable', 'It is down.');
    const broken = () => inPieces(packed.subarray(0, -5), failure);
    await expect(unpack(broken(), 'here', signal)).rejects.toBe(failure);
    await expect(isPacked(broken(), content, signal)).rejects.toBe(failure);
  });
});

test('none is a gzip file that is not smaller, so that a flipped bit is found all the same', async () => {
  const packed = await pack(content, { algorithm: 'none' }, signal);
  expect(packed.length).toBeGreaterThan(content.length);
  expect(packed.length).toBeLessThan(content.length * 1.001);
  expect(gunzipSync(packed).equals(content)).toBe(true);
});

test('who gives up is told so, and not that it is damaged', async () => {
  const gone = AbortSignal.abort(new Error('enough'));
  const packed = await pack(content, { algorithm: 'lz4' }, signal);
  await expect(unpack(packed, 'here', gone)).rejects.toThrow('enough');
  await expect(isPacked(packed, content, gone)).rejects.toThrow('enough');
});

test('the level is that which was asked for', async () => {
  const text = Buffer.from(Array.from({ length: 50_000 }, (_, n) => `row ${n * 7919} of ${n % 97}`).join('\n'));
  for (const [algorithm, most] of [
    ['zstd', 19],
    ['gzip', 9],
    ['lz4', 12],
  ] as const) {
    const [least, best] = [1, most].map((level) => pack(text, { algorithm, level }, signal));
    expect((await best)?.length, algorithm).toBeLessThan(((await least)?.length ?? 0) * 0.95);
  }
  expect(zstdDecompressSync(await pack(text, { algorithm: 'zstd' }, signal)).equals(text)).toBe(true);
});

test.each([
  ['a label of a backup', Buffer.from('START WAL LOCATION')],
  ['zeros alone', Buffer.alloc(16 * 1024 ** 2)],
  ['what no packing makes smaller', randomBytes(16 * 1024 ** 2)],
])('%s is packed whole, beside others of its kind', async (_, given) => {
  for (const each of await Promise.all([1, 3].map((level) => pack(given, { algorithm: 'zstd', level }, signal))))
    expect((await unpack(each, 'here', signal)).equals(given)).toBe(true);
});

test('what is freed takes nothing else along', async () => {
  const label = Buffer.from('START WAL LOCATION');
  const of = (given: Buffer) => pack(given, { algorithm: 'zstd', level: 1 }, signal);
  const [small, neighbour, large] = await Promise.all([of(label), of(label), of(randomBytes(2 ** 21))]);
  free(small);
  free(large);
  expect(large.length).toBe(0);
  expect((await unpack(neighbour, 'here', signal)).equals(label)).toBe(true);
});
