import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Catalogue, CataloguedBackup } from '../../../../src/domain/recovery/catalogue.ts';
import { chooseBackups } from '../../../../src/domain/recovery/choose-backup.ts';
import { neededWal } from '../../../../src/domain/recovery/needed-wal.ts';
import { leadsThrough, resolveTimeline } from '../../../../src/domain/recovery/resolve-timeline.ts';
import { segmentNameAt } from '../../../../src/domain/wal/file-name.ts';
import type { Ancestor } from '../../../../src/domain/wal/timeline-history.ts';

const segmentSize = 1024 ** 2;
const size = BigInt(segmentSize);
const segments = 24n;

/** Each timeline leaves an earlier one somewhere; of each, any segments may be archived. */
const world = fc
  .array(fc.record({ parent: fc.nat(), fork: fc.bigInt(1n, segments * size) }), { maxLength: 4 })
  .chain((forks) => {
    const histories = new Map<number, readonly Ancestor[]>([[1, []]]);
    for (const [index, { parent, fork }] of forks.entries()) {
      const from = (parent % (index + 1)) + 1;
      const inherited = histories.get(from) ?? [];
      const begun = inherited.at(-1)?.end ?? 0n;
      histories.set(index + 2, [...inherited, { timeline: from, end: fork > begun ? fork : begun + 1n }]);
    }
    const count = forks.length + 1;
    const lost = fc.array(fc.boolean(), { minLength: count * Number(segments), maxLength: count * Number(segments) });
    return fc.record({
      histories: fc.constant(histories),
      files: lost.map((gone) => archived(histories, gone)),
      timeline: fc.integer({ min: 1, max: count }),
      from: fc.integer({ min: 1, max: count }),
      begin: fc.bigInt(0n, segments * size - 2n),
      length: fc.bigInt(1n, size),
    });
  });

function archived(histories: ReadonlyMap<number, readonly Ancestor[]>, gone: readonly boolean[]): Catalogue['files'] {
  return new Map(
    [...histories].map(([timeline, ancestors], index) => {
      const begun = ancestors.at(-1)?.end ?? 0n;
      const numbers = Array.from({ length: Number(segments) }, (_, number) => BigInt(number)).filter(
        (number) => number >= begun / size && !(gone[index * Number(segments) + Number(number)] && number % 3n === 0n),
      );
      return [timeline, { segments: new Set(numbers), partials: new Set<bigint>() }];
    }),
  );
}

/** What PostgreSQL asks for, newest timeline first, and gets (xlogrecovery.c, XLogFileReadAnyTLI). */
function replay(
  begin: bigint,
  timeline: number,
  ancestors: readonly Ancestor[],
  files: Catalogue['files'],
  until: bigint,
): readonly string[] {
  const taken: string[] = [];
  for (let number = begin / size; number * size < until; number += 1n) {
    const tries = [timeline, ...ancestors.map((each) => each.timeline).reverse()].filter((_, place, all) => {
      const parent = ancestors.find((ancestor) => ancestor.timeline === all[place + 1]);
      return parent === undefined || number >= parent.end / size;
    });
    const found = tries.find((each) => files.get(each)?.segments.has(number));
    if (found === undefined) break;
    taken.push(segmentNameAt(found, number * size, segmentSize));
  }
  return taken;
}

const backupAt = (timeline: number, begin: bigint, end: bigint): CataloguedBackup => ({
  backupID: 'b',
  path: 'b',
  timeline,
  begin,
  end,
  time: new Date(0),
  segmentSize,
  ownWal: false,
});

describe('neededWal', () => {
  it('is what a simulated replay takes, and what it reaches can be planned again', () => {
    let planned = 0;
    fc.assert(
      fc.property(world, ({ histories, files, timeline, from, begin, length }) => {
        const backup = backupAt(from, begin, begin + length);
        const path = { timeline, ancestors: histories.get(timeline) ?? [] };
        if (!leadsThrough(path, backup)) return;
        planned += 1;
        const wal = neededWal(backup, path, files);
        expect(replay(begin, timeline, path.ancestors, files, wal.end)).toEqual(wal.segments);
        if (wal.end <= begin) return;
        const again = neededWal(backup, path, files, wal.end);
        expect(again).toMatchObject({ segments: wal.segments, missing: undefined });
        if (wal.missing !== undefined) {
          expect(neededWal(backup, path, files, wal.end + 1n).missing).toBe(wal.missing);
        }
      }),
      { numRuns: 500 },
    );
    expect(planned).toBeGreaterThan(100);
  });

  it('takes the WAL that a backup brings for granted, and no more', () => {
    const backup = { ...backupAt(1, size, 3n * size), ownWal: true };
    const wal = neededWal(backup, { timeline: 1, ancestors: [] }, new Map());
    expect(wal).toEqual({
      segments: [segmentNameAt(1, size, segmentSize), segmentNameAt(1, 2n * size, segmentSize)],
      end: 3n * size,
      missing: undefined,
    });
  });

  it('goes up to the fork in a parent’s file where the child’s is not there', () => {
    const path = { timeline: 2, ancestors: [{ timeline: 1, end: size + 5n }] };
    const of = (...numbers: readonly bigint[]) => ({ segments: new Set(numbers), partials: new Set<bigint>() });
    const files = new Map([
      [1, of(0n, 1n, 2n)],
      [2, of(2n)],
    ]);
    const wal = neededWal(backupAt(1, 0n, 8n), path, files);
    expect(wal).toMatchObject({ end: size + 5n, missing: segmentNameAt(2, size, segmentSize) });
    expect(wal.segments.at(-1)).toBe(segmentNameAt(1, size, segmentSize));
  });
});

describe('a timeline', () => {
  const of = (...numbers: readonly bigint[]) => ({ segments: new Set(numbers), partials: new Set<bigint>() });
  const catalogue: Catalogue = {
    backups: [{ ...backupAt(1, 6n * size, 7n * size), backupID: 'late' }],
    files: new Map([
      [1, of(0n, 1n, 5n, 6n)],
      [2, of(5n, 6n)],
    ]),
    histories: new Map([
      [2, [{ timeline: 1, end: 5n * size + 1n }]],
      [3, [{ timeline: 2, end: 9n * size }]],
    ]),
  };

  it('is the latest that has WAL, the backup’s, or the one that is named', () => {
    expect(resolveTimeline('latest', { timeline: 1 }, catalogue).timeline).toBe(2);
    expect(resolveTimeline('current', { timeline: 1 }, catalogue)).toEqual({ timeline: 1, ancestors: [] });
    expect(resolveTimeline(1, { timeline: 2 }, catalogue).timeline).toBe(1);
    expect(() => resolveTimeline('3', { timeline: 1 }, catalogue)).toThrow(/no WAL of timeline 3.*timelines 1, 2/);
    expect(() => resolveTimeline(2, { timeline: 1 }, { ...catalogue, histories: new Map() })).toThrow(
      /00000002\.history is not in the archive/,
    );
  });

  it('that left the backup’s before its end is refused with the graph', () => {
    const wanted = { immediate: false, targetTLI: 'latest', backupID: '' };
    expect(() => chooseBackups(wanted, catalogue)).toThrow(
      'timeline 2 left 1 at 0/500001, before backup late ended at 0/700000 on timeline 1 (1 to 0/500001, then 2)',
    );
    expect(chooseBackups({ ...wanted, targetTLI: 'current' }, catalogue)[0].backup.backupID).toBe('late');
    expect(chooseBackups({ ...wanted, immediate: true }, catalogue)[0].path.timeline).toBe(1);
  });
});
