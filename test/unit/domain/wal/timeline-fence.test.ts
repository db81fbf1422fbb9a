import { expect, test } from 'vitest';
import { leftBefore, whereLeft } from '../../../../src/domain/wal/timeline-fence.ts';
import type { Ancestor } from '../../../../src/domain/wal/timeline-history.ts';

const mebibyte = 1024 ** 2;
const histories = new Map<number, readonly Ancestor[]>([
  [2, [{ timeline: 1, end: 0x5000100n }]],
  [
    3,
    [
      { timeline: 1, end: 0x5000100n },
      { timeline: 2, end: 0x8000000n },
    ],
  ],
]);

test.each([
  ['000000010000000000000004', undefined],
  ['000000010000000000000005', undefined],
  ['000000010000000000000005.partial', undefined],
  ['000000010000000000000006', 0x5000100n],
  ['000000010000000000000006.00000028.backup', 0x5000100n],
  ['000000020000000000000007', undefined],
  ['000000020000000000000008', 0x8000000n],
  ['000000030000000000000008', undefined],
  ['00000002.history', undefined],
])('%s is left before it begins at %s', (name, at) => {
  expect(leftBefore(name, 16 * mebibyte, histories)?.at).toBe(at);
});

test('a timeline that one child left early and another late is current up to the later one', () => {
  const two = new Map<number, readonly Ancestor[]>([
    [2, [{ timeline: 1, end: 100n }]],
    [3, [{ timeline: 1, end: 900n }]],
  ]);
  expect(whereLeft(1, two)).toEqual({ at: 900n, child: 3 });
  expect(whereLeft(3, two)).toBeUndefined();
});
