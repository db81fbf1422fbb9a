import { expect, it } from 'vitest';
import { segmentsBetween } from '../../../../src/agent/physical/await-archive.ts';
import { chunkTarget } from '../../../../src/agent/physical/chunk-target.ts';
import { createFeed } from '../../../../src/agent/physical/feed.ts';
import { kilobytesPerSecond } from '../../../../src/agent/physical/transfer-rate.ts';

const mebibyte = 1024 ** 2;

it.each([
  [0, 16],
  [800, 50],
  [100_000, 256],
])('a database of %i MiB has chunks of %i MiB', (total, expected) => {
  expect(chunkTarget(total * mebibyte)).toBe(expected * mebibyte);
});

it.each([
  ['200M', 204_800],
  ['512k', 512],
  ['512', 512],
  ['1k', 32],
  ['9999999M', 1_048_576],
])('the rate %s is %i kB per second', (rate, expected) => {
  expect(kilobytesPerSecond(rate)).toBe(expected);
});

it('the segments between two go over the end of a log', () => {
  const first = '0000000200000001000000FE';
  expect(segmentsBetween(first, '000000020000000200000001', 16 * mebibyte)).toEqual([
    '0000000200000001000000FE',
    '0000000200000001000000FF',
    '000000020000000200000000',
    '000000020000000200000001',
  ]);
  expect(segmentsBetween(first, first, 16 * mebibyte)).toEqual([first]);
});

it('a feed lets its writer wait, and gives all in order', async () => {
  const feed = createFeed(new AbortController().signal);
  expect(feed.write(Buffer.from('a'))).toBeUndefined();
  const waiting = feed.write(Buffer.alloc(2 * mebibyte, 'b'));
  expect(waiting).toBeInstanceOf(Promise);
  const read: Buffer[] = [];
  const reading = (async () => {
    for await (const bytes of feed.stream) read.push(bytes);
  })();
  await waiting;
  feed.end();
  await reading;
  expect(Buffer.concat(read).toString()).toBe(`a${'b'.repeat(2 * mebibyte)}`);
});

it('a feed that was given up keeps nobody waiting', async () => {
  const stopping = new AbortController();
  const feed = createFeed(stopping.signal);
  const waiting = feed.write(Buffer.alloc(2 * mebibyte));
  stopping.abort();
  await waiting;
  expect(feed.write(Buffer.alloc(2 * mebibyte))).toBeUndefined();
});
