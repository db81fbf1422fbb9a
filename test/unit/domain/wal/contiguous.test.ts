import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArchivedWal, contiguity, segmentNameOn, timelineFiles } from '../../../../src/domain/wal/contiguous.ts';
import { segmentNameAt } from '../../../../src/domain/wal/file-name.ts';
import { type Ancestor, timelineAt } from '../../../../src/domain/wal/timeline-history.ts';

const size = 16 * 1024 * 1024;
const at = (segment: number, offset = 0) => BigInt(segment) * BigInt(size) + BigInt(offset);
const name = (timeline: number, segment: number) => segmentNameAt(timeline, at(segment), size);

function archive(timeline: number, ancestors: readonly Ancestor[], names: readonly string[]): ArchivedWal {
  const timelines = new Set(names.map((each) => Number.parseInt(each.slice(0, 8), 16)));
  const files = new Map(
    [...timelines].map((each) => {
      const own = names.filter((other) => Number.parseInt(other.slice(0, 8), 16) === each);
      return [each, timelineFiles(own, size)];
    }),
  );
  return { files, timeline, ancestors, segmentSize: size };
}

describe('on one timeline', () => {
  test('an archive of nothing has no end', () => {
    expect(contiguity(archive(1, [], []))).toBeUndefined();
  });

  test('it reaches the end of the last segment, across 4 GiB', () => {
    const names = [254, 255, 256, 257].map((segment) => name(1, segment));
    expect(names[2]).toBe('000000010000000100000000');
    expect(contiguity(archive(1, [], names))).toEqual({ end: at(258), newestEnd: at(258), holes: [] });
  });

  test('missing segments are one hole, and the archive ends before it and after it', () => {
    const found = contiguity(archive(1, [], [name(1, 3), name(1, 6), name(1, 7)]));
    expect(found).toEqual({
      end: at(4),
      newestEnd: at(8),
      holes: [{ timeline: 1, fromWal: name(1, 4), toWal: name(1, 5), from: at(4), to: at(6) }],
    });
  });

  test('what lies before the start does not count, and the start itself may be missing', () => {
    const archived = archive(1, [], [name(1, 1), name(1, 4), name(1, 5)]);
    expect(contiguity(archived, at(4, 77))).toMatchObject({ end: at(6), holes: [] });
    expect(contiguity(archived, at(3))).toMatchObject({
      end: at(3),
      newestEnd: at(6),
      holes: [{ fromWal: name(1, 3) }],
    });
  });

  test('a .partial of the timeline that is followed and a .backup are no segments', () => {
    const names = [name(1, 3), `${name(1, 4)}.partial`, `${name(1, 4)}.00000028.backup`];
    expect(contiguity(archive(1, [], names))).toMatchObject({ end: at(4) });
  });
});

describe('over a promotion', () => {
  const left: readonly Ancestor[] = [{ timeline: 1, end: at(5, 4711) }];

  test("the child's copy of the segment in which its parent was left carries the parent's bytes", () => {
    const names = [name(1, 4), name(2, 5), name(2, 6)];
    expect(contiguity(archive(2, left, names))).toMatchObject({ end: at(7), holes: [] });
  });

  test.each([`${name(1, 5)}.partial`, name(1, 5)])('without the copy, %s counts up to the fork', (last) => {
    expect(contiguity(archive(2, left, [name(1, 4), last]))).toMatchObject({ end: at(5, 4711), holes: [] });
  });

  test('what the parent wrote after it was left does not count', () => {
    const names = [name(1, 4), name(1, 5), name(1, 6), name(1, 7)];
    expect(contiguity(archive(2, left, names))).toMatchObject({ end: at(5, 4711), newestEnd: at(5, 4711) });
  });

  test('a hole over the fork is named on both timelines', () => {
    const found = contiguity(archive(2, left, [name(1, 3), name(2, 7)]));
    expect(found?.holes).toEqual([
      { timeline: 1, fromWal: name(1, 4), toWal: name(1, 4), from: at(4), to: at(5) },
      { timeline: 2, fromWal: name(2, 5), toWal: name(2, 6), from: at(5), to: at(7) },
    ]);
  });

  test('a fork at the boundary of two segments leaves nothing half', () => {
    const names = [name(1, 4), name(2, 5)];
    expect(contiguity(archive(2, [{ timeline: 1, end: at(5) }], names))).toMatchObject({ end: at(6), holes: [] });
  });
});

describe('whatever is missing', () => {
  const small = 1024 * 1024;
  /** Three timelines over some twenty segments near the first 4 GiB, and the files that are there. */
  const histories = fc
    .record({
      forks: fc.uniqueArray(fc.integer({ min: 1, max: 20 * 4 }), { minLength: 0, maxLength: 3 }),
      first: fc.integer({ min: 4085, max: 4096 }),
      present: fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }),
    })
    .map(({ forks, first, present }) => {
      const base = BigInt(first) * BigInt(small);
      const ends = forks.sort((one, other) => one - other).map((quarter) => base + BigInt(quarter * (small / 4)));
      const ancestors = ends.map((end, index) => ({ timeline: index + 1, end }));
      const timeline = ends.length + 1;
      const names = new Map<number, string[]>();
      for (let index = 0; index < 88; index += 1) {
        const each = (index % 4) + 1;
        if (each > timeline || present[index] !== true) continue;
        const segment = segmentNameAt(each, base + BigInt(Math.floor(index / 4)) * BigInt(small), small);
        const partial = present[index + 100] === true ? '.partial' : '';
        names.set(each, [...(names.get(each) ?? []), `${segment}${partial}`]);
      }
      const files = new Map([...names].map(([each, own]) => [each, timelineFiles(own, small)]));
      return { base, archived: { files, timeline, ancestors, segmentSize: small }, names };
    });

  test('the end is the first byte that is in no file of its history', () => {
    fc.assert(
      fc.property(histories, ({ base, archived, names }) => {
        const { ancestors, timeline } = archived;
        const have = (each: number, file: string) => names.get(each)?.includes(file) === true;
        // A byte is there in its own timeline's file, or in that of a descendant which begins in the same segment.
        const byteIsThere = (byte: bigint) => {
          const own = timelineAt(byte, timeline, ancestors);
          const segmentEnd = (byte / BigInt(small) + 1n) * BigInt(small);
          for (let each = own; each <= timelineAt(segmentEnd - 1n, timeline, ancestors); each += 1) {
            const segment = segmentNameAt(each, byte, small);
            if (have(each, segment)) return true;
            if (each < timelineAt(segmentEnd - 1n, timeline, ancestors) && have(each, `${segment}.partial`))
              return true;
          }
          return false;
        };
        let expected = base;
        while (byteIsThere(expected)) expected += BigInt(small / 4);
        const found = contiguity(archived, base);
        expect(found?.end).toBe(expected);
        for (const { from, to } of found?.holes ?? []) {
          for (let byte = from; byte < to; byte += BigInt(small / 4)) {
            // The half of a segment after a fork may be covered by nothing but its own file.
            expect(byteIsThere(byte)).toBe(false);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('holes and archived WAL together are everything up to the newest end, and the next name wanted is missing', () => {
    fc.assert(
      fc.property(histories, ({ base, archived, names }) => {
        const found = contiguity(archived, base);
        if (found === undefined) return;
        expect(found.newestEnd >= found.end).toBe(true);
        expect(found.holes.length === 0).toBe(found.newestEnd === found.end);
        for (const [index, hole] of found.holes.entries()) {
          expect(hole.from < hole.to).toBe(true);
          const next = found.holes[index + 1];
          if (next !== undefined) expect(hole.to <= next.from).toBe(true);
        }
        const wanted = segmentNameOn(archived, found.newestEnd);
        expect(names.get(Number.parseInt(wanted.slice(0, 8), 16))?.includes(wanted) ?? false).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
