import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WalGap } from '../../../../src/api/backup-policy.ts';
import { instantIn, restorableSpans } from '../../../../src/domain/verification/random-instant.ts';
import { run } from '../../controllers/objects.ts';

const base = (hour: number, segment: number) =>
  run({
    name: `base-${hour}`,
    spec: { method: 'Physical' },
    status: {
      phase: 'Completed',
      completionTime: `2026-03-10T0${hour}:00:00Z`,
      wal: { beginSegment: `0000000100000000000000${String(segment).padStart(2, '0')}` },
    },
  });
const time = (text: string) => Date.parse(`2026-03-10T${text}Z`);
const gap = (from: number, to: number, more: Partial<WalGap> = {}): WalGap => ({
  timeline: 1,
  fromWal: `0000000100000000000000${from}`,
  toWal: `0000000100000000000000${to}`,
  ...more,
});
const latestTime = '2026-03-10T09:00:00.250Z';

test('from the end of the first base to the last commit', () => {
  expect(restorableSpans({ latestTime }, [base(3, 30), base(1, 10)])).toEqual([
    { from: time('01:00:00'), to: time('09:00:00.250') },
  ]);
  expect(restorableSpans({ latestTime }, [])).toEqual([]);
  expect(restorableSpans({}, [base(1, 10)])).toEqual([]);
});

test('a gap ends what can be reached until a base behind it', () => {
  const bases = [base(1, 10), base(5, 50)];
  const known = gap(20, 22, { fromTime: '2026-03-10T02:00:00Z', toTime: '2026-03-10T02:10:00Z' });
  expect(restorableSpans({ latestTime, gaps: [known] }, bases)).toEqual([
    { from: time('01:00:00'), to: time('02:00:00') },
    { from: time('05:00:00'), to: time('09:00:00.250') },
  ]);
  // Nobody knows when it was: all since the base before it is in doubt.
  expect(restorableSpans({ latestTime, gaps: [gap(20, 22)] }, bases)).toEqual([
    { from: time('05:00:00'), to: time('09:00:00.250') },
  ]);
  expect(restorableSpans({ latestTime, gaps: [gap(60, 61)] }, bases)).toEqual([
    { from: time('01:00:00'), to: time('05:00:00') },
  ]);
});

test('every instant that is drawn lies in a span, before its end, at a whole second', () => {
  const span = fc.tuple(fc.integer({ min: 0, max: 10_000_000 }), fc.integer({ min: 0, max: 100_000 }));
  fc.assert(
    fc.property(fc.array(span, { maxLength: 5 }), fc.double({ min: 0, max: 1, noNaN: true }), (parts, fraction) => {
      let end = 0;
      const spans = parts.map(([gapBefore, length]) => {
        const from = end + gapBefore;
        end = from + length;
        return { from, to: end };
      });
      const instant = instantIn(spans, fraction);
      if (instant === undefined) {
        for (const { from, to } of spans) expect(Math.ceil(to / 1000) - 1).toBeLessThan(Math.ceil(from / 1000));
        return;
      }
      expect(instant.getTime() % 1000).toBe(0);
      expect(spans.some(({ from, to }) => instant.getTime() >= from && instant.getTime() < to)).toBe(true);
    }),
  );
});
