import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inArchiveOrder } from '../../../../src/domain/wal/archive-order.ts';
import { historyName, segmentNameAt } from '../../../../src/domain/wal/file-name.ts';

const size = 16 * 1024 * 1024;

test('histories come first, then the WAL by its place, whatever its timeline', () => {
  const names = [
    'unknown',
    '000000020000000000000006',
    '000000010000000000000007',
    '000000010000000000000006.partial',
    '00000003.history',
    '000000010000000000000005.00000028.backup',
    '000000010000000000000005',
    '00000002.history',
  ];
  expect(inArchiveOrder(names)).toEqual([
    '00000002.history',
    '00000003.history',
    '000000010000000000000005',
    '000000010000000000000005.00000028.backup',
    '000000010000000000000006.partial',
    '000000020000000000000006',
    '000000010000000000000007',
    'unknown',
  ]);
});

test('any mixture is the same order, without a loss', () => {
  const timeline = fc.integer({ min: 1, max: 9 });
  const segment = fc
    .tuple(timeline, fc.bigInt({ min: 0n, max: 5000n }))
    .map(([on, index]) => segmentNameAt(on, index * BigInt(size), size));
  fc.assert(
    fc.property(fc.array(fc.oneof(segment, timeline.map(historyName))), (names) => {
      const ordered = inArchiveOrder(names);
      expect([...ordered].sort()).toEqual([...names].sort());
      expect(inArchiveOrder([...names].reverse())).toEqual(ordered);
      const histories = names.filter((name) => name.endsWith('.history')).length;
      expect(ordered.slice(0, histories).every((name) => name.endsWith('.history'))).toBe(true);
      const places = ordered.slice(histories).map((name) => name.slice(8));
      expect(places).toEqual([...places].sort());
    }),
  );
});
