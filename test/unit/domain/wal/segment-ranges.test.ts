import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SegmentRanges } from '../../../../src/domain/wal/segment-ranges.ts';

test('holds the same numbers as a Set, in order, whatever the order in which they come', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 60n })), (numbers) => {
      const ranges = new SegmentRanges(numbers);
      const set = new Set(numbers);
      expect([...ranges]).toEqual([...set].sort((one, other) => (one < other ? -1 : 1)));
      expect(ranges.size).toBe(set.size);
      for (let number = 0n; number <= 60n; number += 1n) expect(ranges.has(number)).toBe(set.has(number));
    }),
  );
});

test('a copy goes its own way', () => {
  const first = new SegmentRanges([1n, 2n]);
  const copy = new SegmentRanges(first);
  copy.add(3n);
  expect([...first]).toEqual([1n, 2n]);
  expect([...copy]).toEqual([1n, 2n, 3n]);
});
