import { expect, test } from 'vitest';
import { maxObjectSize, maxParts, memoryFor, partSize } from '../../../src/repository/part-size.ts';

const mebibyte = 1024 ** 2;
const sizes = Array.from({ length: maxParts }, (_, index) => partSize(index) ?? 0);

test('every part is allowed by S3: 5 MiB to 5 GiB, at most 10,000', () => {
  for (const size of sizes) expect(size >= 5 * mebibyte && size <= 5 * 1024 * mebibyte).toBe(true);
  expect(partSize(maxParts)).toBeUndefined();
});

test('parts never shrink, as some stores demand that all but the last are as large as the first', () => {
  expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
});

test('a stream of 1 TB fits, with parts that take no more than 128 MiB at once', () => {
  let bytes = 0;
  for (const size of sizes) {
    if (bytes >= 1e12) break;
    expect(memoryFor(size)).toBeLessThanOrEqual(128 * mebibyte);
    expect(memoryFor(size)).toBeGreaterThanOrEqual(size);
    bytes += size;
  }
  expect(bytes).toBeGreaterThanOrEqual(1e12);
});

test('the longest object is the sum of all parts', () => {
  expect(maxObjectSize()).toBe(sizes.reduce((sum, size) => sum + size, 0));
});
