import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowFor } from '../../../../../src/agent/recover/run/prefetch.ts';
import {
  isRequired,
  lastSegment,
  segmentsAfter,
  type WalRange,
} from '../../../../../src/agent/recover/run/wal-range.ts';
import { segmentNameAt } from '../../../../../src/domain/wal/file-name.ts';
import { parseLsn } from '../../../../../src/domain/wal/lsn.ts';

const segmentSize = 16 * 1024 ** 2;
const size = BigInt(segmentSize);
/** Timeline 1 was left in the middle of segment 5, timeline 2 at the end of segment 7. */
const range: WalRange = {
  begin: parseLsn('0/2000028'),
  end: parseLsn('0/A000000'),
  timeline: 3,
  ancestors: [
    { timeline: 1, end: parseLsn('0/5000100') },
    { timeline: 2, end: parseLsn('0/8000000') },
  ],
  segmentSize,
};
const segment = (timeline: number, number: number) => segmentNameAt(timeline, BigInt(number) * size, segmentSize);

describe('a file is required', () => {
  it.each([
    ['before the backup', segment(1, 1), false],
    ['where the backup begins', segment(1, 2), true],
    ['where a timeline was left, of the child', segment(2, 5), true],
    ['where a timeline was left, of the parent', segment(1, 5), false],
    ['after it, of the parent', segment(1, 6), false],
    ['of the grandchild before it is', segment(3, 7), false],
    ['where the grandchild begins', segment(3, 8), true],
    ['the last', segment(3, 9), true],
    ['after the end', segment(3, 10), false],
    ['the history of the target’s timeline', '00000003.history', true],
    ['the history of the next timeline', '00000004.history', false],
    ['a partial segment', `${segment(1, 5)}.partial`, false],
  ])('%s: %s %s', (_, name, expected) => {
    expect(isRequired(name, range)).toBe(expected);
  });

  it('the history of timeline 1, which has none, never', () => {
    expect(isRequired('00000001.history', { ...range, timeline: 1, ancestors: [] })).toBe(false);
  });

  it('exactly one of each number, whatever the timelines', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), (number) => {
        const names = [1, 2, 3].map((timeline) => segment(timeline, number));
        expect(names.filter((name) => isRequired(name, range))).toHaveLength(1);
      }),
    );
  });
});

describe('what comes after a segment', () => {
  it('follows the timelines', () => {
    expect(segmentsAfter(segment(1, 3), 5, range, range.end)).toEqual([
      segment(1, 4),
      segment(2, 5),
      segment(2, 6),
      segment(2, 7),
      segment(3, 8),
    ]);
  });

  it('ends where the archive or the replay does', () => {
    expect(segmentsAfter(segment(3, 8), 9, range, range.end)).toEqual([segment(3, 9)]);
    expect(segmentsAfter(segment(1, 2), 9, range, 4n * size)).toEqual([segment(1, 3)]);
    expect(segmentsAfter('00000003.history', 9, range, range.end)).toEqual([]);
  });

  it('is what the plan knows to be there, and ends with the last segment', () => {
    const all = segmentsAfter(segment(1, 1), 100, range, range.end);
    expect(all.every((name) => isRequired(name, range))).toBe(true);
    expect(all.at(-1)).toBe(lastSegment(range));
  });
});

describe('the window of segments that are fetched ahead', () => {
  it.each([
    [1024 ** 2, 64, 4],
    [16 * 1024 ** 2, 16, 4],
    [128 * 1024 ** 2, 2, 2],
    [1024 ** 3, 1, 1],
  ])('of %i bytes: %i, %i at once', (bytes, segments, parallel) => {
    expect(windowFor(bytes)).toEqual({ segments, parallel });
  });
});
