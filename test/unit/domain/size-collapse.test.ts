import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findCollapses, type StoredSize } from '../../../src/domain/size-collapse.ts';

const megabyte = 1024 ** 2;
const size = (databases: Readonly<Record<string, number>>): StoredSize => ({
  stored: Object.values(databases).reduce((sum, bytes) => sum + bytes, 0),
  databases: new Map(Object.entries(databases)),
});

describe('a backup is compared with the five before it', () => {
  test.each<[string, StoredSize, readonly StoredSize[], readonly (string | undefined)[]]>([
    ['the first has nothing to be compared with', size({ a: 1 }), [], []],
    ['half is not yet less than half', size({ a: megabyte / 2 }), [size({ a: megabyte })], []],
    ['less than half is', size({ a: megabyte / 2 - 1 }), [size({ a: megabyte })], [undefined, 'a']],
    [
      'a small database beside a large one is seen',
      size({ large: 100 * megabyte, small: 1000 }),
      [size({ large: 100 * megabyte, small: megabyte })],
      ['small'],
    ],
    ['what was always tiny says nothing', size({ a: 100 }), [size({ a: 10_000 })], []],
    [
      'one odd backup among the last does not count',
      size({ a: megabyte }),
      [size({ a: megabyte }), size({ a: 100 * megabyte }), size({ a: megabyte })],
      [],
    ],
    [
      'older ones than five do not count',
      size({ a: megabyte }),
      [...Array.from({ length: 5 }, () => size({ a: megabyte })), ...Array.from({ length: 9 }, () => size({ a: 1e9 }))],
      [],
    ],
    ['a database that is gone is told', size({ a: 100 * megabyte }), [size({ a: 100 * megabyte, b: megabyte })], ['b']],
    [
      'and told once',
      size({ a: 100 * megabyte }),
      [size({ a: 100 * megabyte }), size({ a: 100 * megabyte, b: megabyte })],
      [],
    ],
    ['a new database is welcome', size({ a: megabyte, b: megabyte }), [size({ a: megabyte })], []],
    [
      'a physical backup has its whole size alone',
      { stored: 1000, databases: new Map() },
      [{ stored: megabyte, databases: new Map() }],
      [undefined],
    ],
  ])('%s', (_, now, before, expected) => {
    expect(findCollapses(now, before).map(({ database }) => database)).toEqual(expected);
  });
});

test('what grew or stayed never collapsed', () => {
  const sizes = fc.array(fc.nat(1e9), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sizes, fc.nat(1e9), (before, more) => {
      const now = size({ a: Math.max(...before) + more });
      expect(
        findCollapses(
          now,
          before.map((bytes) => size({ a: bytes })),
        ),
      ).toEqual([]);
    }),
  );
});
