import { randomBytes } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createFrameWalker } from '../../../../src/agent/physical/walk-frames.ts';

const content = fc.oneof(
  fc.integer({ min: 0, max: 300_000 }).map((size) => randomBytes(size)),
  // Blocks that repeat a byte, and blocks that are packed.
  fc.integer({ min: 0, max: 300_000 }).map((size) => Buffer.alloc(size, 'a')),
  fc.integer({ min: 0, max: 30_000 }).map((size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * i) % 251))),
);
const packed = fc.tuple(content, fc.boolean(), fc.boolean()).map(([bytes, checksum, size]) =>
  zstdCompressSync(bytes, {
    params: {
      [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
      [constants.ZSTD_c_contentSizeFlag]: size ? 1 : 0,
    },
  }),
);

function isWhole(pieces: readonly Buffer[]): boolean {
  const walker = createFrameWalker();
  for (const piece of pieces) walker.push(piece);
  return walker.isWhole();
}

it('a stream is whole however it comes in pieces', () => {
  fc.assert(
    fc.property(packed, fc.array(fc.nat({ max: 70_000 }), { maxLength: 40 }), (stream, sizes) => {
      const pieces: Buffer[] = [];
      let at = 0;
      for (const size of sizes) {
        pieces.push(stream.subarray(at, at + size));
        at += size;
      }
      pieces.push(stream.subarray(at));
      expect(isWhole(pieces)).toBe(true);
    }),
  );
});

it('a stream that stops before its end is not whole', () => {
  fc.assert(
    fc.property(packed, fc.double({ min: 0, max: 1, noNaN: true }), (stream, where) => {
      expect(isWhole([stream.subarray(0, Math.floor(where * (stream.length - 1)))])).toBe(false);
    }),
  );
});

it('bytes after a frame are another frame, which has to end too', () => {
  const one = zstdCompressSync(Buffer.from('one'));
  const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  expect(isWhole([one, skipped, one])).toBe(true);
  expect(isWhole([one, skipped.subarray(0, -1)])).toBe(false);
  expect(isWhole([one, one.subarray(0, 3)])).toBe(false);
});

it('what is no zstd is told at once', () => {
  expect(() => createFrameWalker().push(Buffer.from('base/PG_VERSION'))).toThrow(
    expect.objectContaining({ reason: 'UnknownStream', retryable: false }),
  );
});
