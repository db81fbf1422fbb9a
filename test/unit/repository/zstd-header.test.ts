import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { contentSize } from '../../../src/repository/zstd-header.ts';

test.each([0, 1, 255, 256, 65_791, 65_792, 70_000, 16 * 1024 ** 2])('a frame of %d bytes says so', (size) => {
  expect(contentSize(zstdCompressSync(Buffer.alloc(size)))).toBe(size);
});

test('what is no frame, or cut within its header, says nothing', () => {
  const frame = zstdCompressSync(Buffer.alloc(70_000));
  for (const cut of [0, 3, 4, 5, 6]) expect(contentSize(frame.subarray(0, cut)), String(cut)).toBeUndefined();
  expect(contentSize(Buffer.from('age-encryption.org/v1'))).toBeUndefined();
});

test('a size of eight bytes is read whole', () => {
  const header = Buffer.alloc(14);
  header.writeUInt32LE(0xfd2fb528, 0);
  header[4] = 0xc0;
  header.writeBigUInt64LE(2n ** 33n, 6);
  expect(contentSize(header)).toBe(2 ** 33);
});
