import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  historyName,
  nextSegmentName,
  parseWalFileName,
  segmentName,
  segmentNameAt,
  segmentNameBefore,
  startOfSegment,
} from '../../../../src/domain/wal/file-name.ts';
import { formatLsn, parseLsn } from '../../../../src/domain/wal/lsn.ts';
import { endOn, parseTimelineHistory, timelineAt } from '../../../../src/domain/wal/timeline-history.ts';

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const timeline = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const segmentSize = fc.integer({ min: 20, max: 30 }).map((power) => 2 ** power);

describe('an LSN', () => {
  test('survives being written and read', () => {
    fc.assert(
      fc.property(lsn, (at) => {
        expect(parseLsn(formatLsn(at))).toBe(at);
      }),
    );
  });

  test.each([
    ['0/0', 0n],
    ['16/B374D848', 0x16b374d848n],
    ['ffffffff/ffffffff', 2n ** 64n - 1n],
  ])('%s is read', (text, value) => expect(parseLsn(text)).toBe(value));

  test.each(['', '0', '0/', '/0', '0/123456789', '0/G', ' 0/0', '0/0 ', '-1/0'])('%j is none', (text) => {
    expect(() => parseLsn(text)).toThrow(RangeError);
  });
});

describe('the name of a segment', () => {
  test('leads back to a place that holds the byte', () => {
    fc.assert(
      fc.property(timeline, lsn, segmentSize, (on, at, size) => {
        const file = parseWalFileName(segmentNameAt(on, at, size));
        if (file?.kind !== 'Segment') throw new Error('no segment');
        expect(file.timeline).toBe(on);
        const start = startOfSegment(file.number, size);
        expect(start <= at && at < start + BigInt(size)).toBe(true);
        expect(segmentName(on, file.number)).toBe(segmentNameAt(on, start, size));
      }),
    );
  });

  test('is followed by the one of the next byte, also across 4 GiB', () => {
    fc.assert(
      fc.property(timeline, fc.bigInt({ min: 0n, max: 2n ** 62n }), segmentSize, (on, at, size) => {
        const file = parseWalFileName(segmentNameAt(on, at, size));
        if (file?.kind !== 'Segment') throw new Error('no segment');
        const next = startOfSegment(file.number, size) + BigInt(size);
        expect(nextSegmentName(on, file.number, size)).toBe(segmentNameAt(on, next, size));
        expect(segmentNameBefore(on, next, size)).toBe(segmentNameAt(on, at, size));
      }),
    );
  });

  test.each([
    ['000000010000000000000001', 'Segment'],
    ['000000010000000000000001.partial', 'Partial'],
    ['000000010000000000000001.00000028.backup', 'BackupHistory'],
    ['0000000A.history', 'History'],
    ['00000001000000000000000', undefined],
    ['00000001000000000000000g', undefined],
    ['00000001000000000000000a', undefined],
    ['000000010000000000000001.PARTIAL', undefined],
    ['000000010000000000000001.ready', undefined],
    ['../000000010000000000000001', undefined],
    ['000000010000000000000001\n', undefined],
    ['1.history', undefined],
    ['', undefined],
  ])('%j is of the kind %s', (name, kind) => expect(parseWalFileName(name)?.kind).toBe(kind));

  test('of a history is its timeline’s', () => {
    fc.assert(
      fc.property(timeline, (on) => {
        expect(parseWalFileName(historyName(on))).toEqual({ kind: 'History', timeline: on });
      }),
    );
  });
});

describe('a history', () => {
  const text =
    '1\t0/5000100\tno recovery target specified\n\n# a comment\n2\t1/8000000\tbefore 2026-11-21 10:00:00+00\n';
  const ancestors = parseTimelineHistory(text);

  test('is read by its lines', () => {
    expect(ancestors).toEqual([
      { timeline: 1, end: 0x5000100n },
      { timeline: 2, end: 0x108000000n },
    ]);
    expect(parseTimelineHistory('')).toEqual([]);
    expect(() => parseTimelineHistory('1 nowhere')).toThrow(RangeError);
  });

  test('gives every byte to one timeline', () => {
    fc.assert(
      fc.property(lsn, (at) => {
        const owner = timelineAt(at, 3, ancestors);
        expect(owner).toBe(at < 0x5000100n ? 1 : at < 0x108000000n ? 2 : 3);
        const end = endOn(owner, 3, ancestors);
        expect(end === 'open' || (end !== undefined && at < end)).toBe(true);
      }),
    );
    expect(endOn(9, 3, ancestors)).toBeUndefined();
  });
});
