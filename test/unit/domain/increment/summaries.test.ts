import { expect, it } from 'vitest';
import { coversSince } from '../../../../src/domain/increment/summaries.ts';

const one = (start: bigint, end: bigint, timeline = 1) => ({ timeline, start, end });

it.each<[string, ReturnType<typeof one>[], boolean]>([
  ['one that begins before', [one(50n, 300n)], true],
  ['one that begins there', [one(100n, 300n)], true],
  ['several in a row, in any order', [one(200n, 300n), one(50n, 120n), one(120n, 200n)], true],
  ['overlapping ones', [one(50n, 200n), one(150n, 300n)], true],
  ['none yet, as the server waits for its own', [], true],
  ['earlier ones alone', [one(0n, 100n)], true],
  ['one that begins after', [one(101n, 300n)], false],
  ['a hole between two', [one(50n, 150n), one(151n, 300n)], false],
  ['those of another timeline, which do not count', [one(50n, 150n, 2), one(150n, 300n)], false],
])('%s', (_, available, covered) => {
  expect(coversSince(available, 1, 100n)).toBe(covered);
});
