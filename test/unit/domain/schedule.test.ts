import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTimeZone, nextFiring } from '../../../src/domain/schedule.ts';

const amsterdam = 'Europe/Amsterdam';

function firings(cron: string, timeZone: string, from: string, count: number): readonly string[] {
  const found: string[] = [];
  let after = new Date(from);
  for (let each = 0; each < count; each++) {
    const next = nextFiring(cron, timeZone, after);
    if (next === undefined) break;
    found.push(next.toISOString().replace(':00.000Z', 'Z'));
    after = next;
  }
  return found;
}

describe('the next firing', () => {
  test.each([
    ['15 3 * * *', 'Etc/UTC', '2026-03-10T03:15:00Z', ['2026-03-11T03:15Z']],
    ['0 0 29 2 *', 'Etc/UTC', '2026-03-01T00:00:00Z', ['2028-02-29T00:00Z']],
    ['*/20 * * * *', 'Asia/Kolkata', '2026-03-10T00:01:00Z', ['2026-03-10T00:10Z', '2026-03-10T00:30Z']],
    ['0 12 * * MON', amsterdam, '2026-03-27T00:00:00Z', ['2026-03-30T10:00Z', '2026-04-06T10:00Z']],
  ])('of %s in %s after %s', (cron, timeZone, from, expected) => {
    expect(firings(cron, timeZone, from, expected.length)).toEqual(expected);
  });

  test('keeps to the wall clock over the beginning of summer time', () => {
    expect(firings('0 4 * * *', amsterdam, '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T03:00Z',
      '2026-03-29T02:00Z',
      '2026-03-30T02:00Z',
    ]);
  });

  test('keeps to the wall clock over the end of summer time', () => {
    expect(firings('0 4 * * *', amsterdam, '2026-10-23T12:00:00Z', 3)).toEqual([
      '2026-10-24T02:00Z',
      '2026-10-25T03:00Z',
      '2026-10-26T03:00Z',
    ]);
  });

  test('does not lose the day on which its hour does not exist', () => {
    const [spring] = firings('30 2 * * *', amsterdam, '2026-03-28T12:00:00Z', 1);
    expect(spring?.slice(0, 10)).toBe('2026-03-29');
  });

  test('is every hour over both changes', () => {
    for (const from of ['2026-03-28T22:00:00Z', '2026-10-24T22:00:00Z']) {
      const times = firings('0 * * * *', amsterdam, from, 8).map((time) => Date.parse(time));
      expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual(Array(7).fill(3_600_000));
    }
  });

  test('is later than the moment it is asked for, and never more than a day off for a daily schedule', () => {
    const moment = fc.date({ min: new Date('2025-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(moment, fc.nat(23), fc.nat(59), (after, hour, minute) => {
        const next = nextFiring(`${minute} ${hour} * * *`, amsterdam, after)?.getTime() ?? Number.NaN;
        expect(next).toBeGreaterThan(after.getTime());
        expect(next - after.getTime()).toBeLessThanOrEqual(26 * 3_600_000);
      }),
      { numRuns: 300 },
    );
  });

  test('is none for a day that does not exist', () => {
    expect(nextFiring('0 0 31 2 *', 'Etc/UTC', new Date('2026-01-01'))).toBeUndefined();
  });

  test.each([
    ['0 3 * * *', 'Europe/Atlantis', /'Europe\/Atlantis' is no time zone/],
    ['0 3 * * * *', 'Etc/UTC', /the cron '0 3 \* \* \* \*' cannot be read/],
    ['99 3 * * *', 'Etc/UTC', /cannot be read/],
  ])('of %s in %s is refused in words', (cron, timeZone, message) => {
    expect(() => nextFiring(cron, timeZone, new Date())).toThrow(message);
  });
});

test('knows the time zones that Node knows', () => {
  expect(isTimeZone(amsterdam)).toBe(true);
  expect(isTimeZone('Mars/Base')).toBe(false);
});
