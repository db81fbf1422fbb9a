import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assembleSegments } from '../../../../src/agent/watch-wal/stream/assemble.ts';
import type { WalContent } from '../../../../src/repository/large-wal.ts';

const size = 64;
const inMemory = (content: WalContent): Buffer => {
  if (Buffer.isBuffer(content)) return content;
  throw new Error('not in memory');
};

test('whatever the pieces, the segments are the bytes in order and the tail ends in zeros', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      const start = 5n * BigInt(size);
      const assembly = assembleSegments(start, size);
      const segments: Buffer[] = [];
      for (const piece of pieces) {
        for (const { begin, content } of assembly.add(assembly.position(), Buffer.from(piece))) {
          expect(begin).toBe(start + BigInt(segments.length * size));
          segments.push(Buffer.from(inMemory(content)));
          assembly.reuse(inMemory(content).fill(0xff));
        }
      }
      const whole = Buffer.concat(pieces);
      const tail = assembly.tail();
      const expected = whole.length % size;
      expect(assembly.position()).toBe(start + BigInt(whole.length));
      expect(tail?.length ?? 0).toBe(expected);
      const all = Buffer.concat([...segments, ...(tail === undefined ? [] : [inMemory(tail.content)])]);
      expect(all.subarray(0, whole.length).equals(whole)).toBe(true);
      expect(all.subarray(whole.length).every((byte) => byte === 0)).toBe(true);
    }),
  );
});

test('bytes that do not follow are refused', () => {
  const assembly = assembleSegments(0n, size);
  assembly.add(0n, Buffer.alloc(10));
  expect(() => assembly.add(11n, Buffer.alloc(1))).toThrow(RangeError);
  expect(() => assembly.add(0n, Buffer.alloc(1))).toThrow(RangeError);
});
