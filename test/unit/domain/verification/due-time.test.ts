import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextFiring } from '../../../../src/domain/schedule.ts';
import { dueTime, type Made, minuteOf } from '../../../../src/domain/verification/due-time.ts';

const at = (text: string) => new Date(text);
const nightly = { cron: '0 5 * * *', timeZone: 'Etc/UTC' };
const made = (scheduled: string, start = scheduled): Made => ({ scheduledTime: at(scheduled), startTime: at(start) });

describe('a verification is due', () => {
  test('when its time has come, in its own time zone', () => {
    const amsterdam = { cron: '0 5 * * *', timeZone: 'Europe/Amsterdam' };
    const since = at('2026-11-20T12:00:00Z');
    expect(dueTime(amsterdam, since, [], at('2026-11-21T03:59:59Z'))).toBeUndefined();
    expect(dueTime(amsterdam, since, [], at('2026-11-21T04:00:00Z'))).toEqual(at('2026-11-21T04:00:00Z'));
  });

  test('once for all times that were missed, and then at the next', () => {
    const since = at('2026-11-01T12:00:00Z');
    const now = at('2026-11-10T12:00:00Z');
    expect(dueTime(nightly, since, [], now)).toEqual(at('2026-11-02T05:00:00Z'));
    const late = [made('2026-11-02T05:00:00Z', '2026-11-10T12:00:00Z')];
    expect(dueTime(nightly, since, late, now)).toBeUndefined();
    expect(dueTime(nightly, since, late, at('2026-11-11T05:00:00Z'))).toEqual(at('2026-11-11T05:00:00Z'));
  });

  test('not twice where the clock of the API server lags behind', () => {
    const since = at('2026-11-20T12:00:00Z');
    const early = [made('2026-11-21T05:00:00Z', '2026-11-21T04:59:57Z')];
    expect(dueTime(nightly, since, early, at('2026-11-21T05:00:01Z'))).toBeUndefined();
  });

  test('never for what was before its schedule stood', () => {
    expect(dueTime(nightly, at('2026-11-21T05:00:01Z'), [], at('2026-11-21T23:00:00Z'))).toBeUndefined();
  });
});

/** An operator that is away at times, looks at odd moments, and knows only what it has made. */
test('whatever was missed is made up once, and nothing is made twice', () => {
  const crons = ['*/7 * * * *', '0 * * * *', '30 5 * * *', '15 1 * * 0', '0 2 29 * *'];
  const begin = Date.parse('2026-10-20T00:00:00Z');
  fc.assert(
    fc.property(
      fc.constantFrom(...crons),
      fc.constantFrom('Etc/UTC', 'Europe/Amsterdam', 'America/St_Johns'),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 5, maxLength: 60 }),
      fc.integer({ min: -30, max: 30 }),
      (cron, timeZone, pauses, skew) => {
        const known: Made[] = [];
        let time = begin;
        for (const pause of pauses) {
          const before = time;
          time += pause * 1000;
          const now = new Date(time);
          const due = dueTime({ cron, timeZone }, new Date(begin), known, now);
          const last = Math.max(
            begin,
            ...known.flatMap((one) => [one.scheduledTime.getTime(), one.startTime.getTime()]),
          );
          const fired = nextFiring(cron, timeZone, new Date(last));
          expect(due).toEqual(fired !== undefined && fired.getTime() <= time ? fired : undefined);
          if (due === undefined) continue;
          expect(known.map(({ scheduledTime }) => minuteOf(scheduledTime))).not.toContain(minuteOf(due));
          known.push({ scheduledTime: due, startTime: new Date(time + skew * 1000) });
          // What came in between is made up with it.
          const again = dueTime({ cron, timeZone }, new Date(begin), known, now);
          if (skew >= 0) expect(again).toBeUndefined();
          else if (again !== undefined) expect(again.getTime()).toBeGreaterThan(time + skew * 1000 - 1);
          expect(before).toBeLessThan(time);
        }
      },
    ),
    { numRuns: 60 },
  );
});
