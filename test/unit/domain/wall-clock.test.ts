import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instantsOf, offsetAt, showInZone, wallAt } from '../../../src/domain/wall-clock.ts';

const wall = (text: string) => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text.split(/[- :]/).map(Number);
  return { year, month, day, hour, minute, second };
};
const show = (instants: readonly number[]) => instants.map((instant) => new Date(instant).toISOString());

describe('the time on a wall', () => {
  test.each([
    ['2026-11-21 10:15:00', 'Europe/Amsterdam', ['2026-11-21T09:15:00.000Z']],
    ['2026-07-01 10:15:00', 'Europe/Amsterdam', ['2026-07-01T08:15:00.000Z']],
    ['2026-03-29 02:30:00', 'Europe/Amsterdam', []],
    ['2026-10-25 02:30:00', 'Europe/Amsterdam', ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z']],
    ['2026-11-01 01:30:00', 'America/New_York', ['2026-11-01T05:30:00.000Z', '2026-11-01T06:30:00.000Z']],
    // Half an hour only.
    ['2026-04-05 01:45:00', 'Australia/Lord_Howe', ['2026-04-04T14:45:00.000Z', '2026-04-04T15:15:00.000Z']],
    // A day that never was.
    ['2011-12-30 12:00:00', 'Pacific/Apia', []],
    ['2026-11-21 10:15:00', 'Asia/Kathmandu', ['2026-11-21T04:30:00.000Z']],
    ['2026-11-21 00:00:00', 'UTC', ['2026-11-21T00:00:00.000Z']],
  ] as const)('%s in %s is %j', (text, zone, expected) => {
    expect(show(instantsOf(wall(text), zone))).toEqual(expected);
  });

  test('every instant is among those that its own wall time can mean', () => {
    const zones = fc.constantFrom('Europe/Amsterdam', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Tehran', 'UTC');
    const instant = fc.integer({ min: 946_684_800, max: 2_524_608_000 }).map((seconds) => seconds * 1000);
    fc.assert(
      fc.property(instant, zones, (time, zone) => {
        expect(instantsOf(wallAt(time, zone), zone)).toContain(time);
        expect(Math.abs(offsetAt(time, zone))).toBeLessThanOrEqual(18 * 3_600_000);
      }),
      { numRuns: 200 },
    );
  });

  test('is shown with its offset', () => {
    expect(showInZone(Date.parse('2026-11-21T09:15:00Z'), 'Europe/Amsterdam')).toBe('2026-11-21 10:15:00 +01:00');
    expect(showInZone(Date.parse('2026-11-21T09:15:00Z'), 'America/St_Johns')).toBe('2026-11-21 05:45:00 -03:30');
  });
});
