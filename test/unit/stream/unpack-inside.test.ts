import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { unpackInside } from '../../../src/stream/unpack-inside.ts';

const packed = zstdCompressSync(randomBytes(8 * 1024 ** 2));

test('who has read enough may leave, and the source is told', async () => {
  let closed = false;
  async function* source() {
    try {
      for (let at = 0; at < packed.length; at += 100_000) yield packed.subarray(at, at + 100_000);
    } finally {
      closed = true;
    }
  }
  for await (const piece of unpackInside('zstd', source())) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  expect(closed).toBe(true);
});

test('an error of the source is what it rejects with', async () => {
  async function* source() {
    yield packed.subarray(0, 1_000_000);
    throw new Error('the connection broke');
  }
  await expect(Array.fromAsync(unpackInside('zstd', source()))).rejects.toThrow('the connection broke');
});
