import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMoment } from '../../../src/domain/recovery/moment.ts';
import { Stop } from '../../../src/kubectl/exit-code.ts';
import { parsePastMoment } from '../../../src/kubectl/parse-moment.ts';

/** A Saturday, 11:15 in Amsterdam. */
const now = new Date('2026-11-21T10:15:00Z');
const zone = 'Europe/Amsterdam';
const parse = (text: string, at = now, timeZone = zone) => formatMoment(parsePastMoment(text, at, timeZone));

describe('--to', () => {
  test.each([
    ['10 minutes ago', '2026-11-21T10:05:00Z'],
    ['10m ago', '2026-11-21T10:05:00Z'],
    ['an hour ago', '2026-11-21T09:15:00Z'],
    ['2 hours 30 minutes ago', '2026-11-21T07:45:00Z'],
    ['now', '2026-11-21T10:15:00Z'],
    ['yesterday 10:15', '2026-11-20T09:15:00Z'],
    ['yesterday at 10:15:30', '2026-11-20T09:15:30Z'],
    ['today at 9am', '2026-11-21T08:00:00Z'],
    ['last friday at 15:00', '2026-11-20T14:00:00Z'],
    ['10:15', '2026-11-21T09:15:00Z'],
    ['10:15 UTC', '2026-11-21T10:15:00Z'],
    ['3 days ago', '2026-11-18T10:15:00Z'],
    ['2026-11-20 10:15', '2026-11-20T09:15:00Z'],
    ['2026-11-20 10:15:30.25', '2026-11-20T09:15:30.25Z'],
    ['2026-11-20 10:15 America/New_York', '2026-11-20T15:15:00Z'],
    ['2026-11-20 10:15:00 UTC', '2026-11-20T10:15:00Z'],
    ['2026-11-20 10:15 +05:30', '2026-11-20T04:45:00Z'],
    ['2026-11-20T10:15:00+01:00', '2026-11-20T09:15:00Z'],
    ['2026-11-20T10:15:00.123456Z', '2026-11-20T10:15:00.123456Z'],
    ['2026-11-20T10:15:00', '2026-11-20T09:15:00Z'],
    // PostgreSQL's and this program's own way to write it.
    ['2026-11-20 10:15:00 +01:00', '2026-11-20T09:15:00Z'],
  ])('%s', (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  test('days ago keep the time of day, hours ago do not, when the clocks were changed between', () => {
    const monday = new Date('2026-10-26T09:00:00Z');
    expect(parse('2 days ago', monday)).toBe('2026-10-24T08:00:00Z');
    expect(parse('48 hours ago', monday)).toBe('2026-10-24T09:00:00Z');
  });

  test.each([
    ['2026-10-25 02:30', 'put back, so that time was twice. Say which one: 2026-10-25 02:30:00 +02:00, or with +01:00'],
    ['2026-03-29 02:30', 'put forward over that time'],
    ['october 25 at 02:30', 'put back'],
    ['11:30', 'has not come yet. Did you mean "yesterday 11:30"?'],
    ['in 5 minutes', 'has not come yet'],
    ['tomorrow 10:00', 'has not come yet'],
    ['2027-01-01T00:00:00Z', 'has not come yet'],
    ['yesterday', 'a day and no time of day'],
    ['02/03/2026 10:00', 'order of day and month'],
    ['10:15 CET', 'abbreviated time zone'],
    ['10:15 EST', 'abbreviated time zone'],
    ['before the delete', 'not understood'],
    ['yesterday 10:00 or so', 'not understood'],
    ['yesterday 10:00 to 11:00', 'not understood'],
    ['2026-02-30 10:00', 'no such day'],
    ['2026-02-30T10:00:00Z', 'no such'],
    ['2026-11-20 25:00', 'no such day or time'],
    ['2026-11-20T25:00:00Z', 'no such'],
    ['10:15 Europe/Nowhere', 'no time zone'],
    ['', 'not understood'],
    ['1; rm -rf /', 'not understood'],
  ])('%s is refused', (text, words) => {
    expect(() => parse(text)).toThrow(words);
  });

  test('RFC 3339 means the same in every zone', () => {
    const moment = fc.date({ min: new Date('2001-01-01T00:00:00Z'), max: now, noInvalidDate: true });
    fc.assert(
      fc.property(moment, fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/New_York'), (date, timeZone) => {
        expect(parsePastMoment(date.toISOString(), now, timeZone)).toBe(date.getTime() * 1000);
      }),
    );
  });

  test('whatever is typed is a moment of the past, or a refusal that says what to write', () => {
    const words = fc.constantFrom(
      'yesterday',
      'ago',
      '10',
      'minutes',
      '10:15',
      'monday',
      'last',
      '2026-11-20',
      'at',
      'Z',
      '+01:00',
      '3pm',
      '.',
      '/',
    );
    const typed = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 5 }).map((each) => each.join(' ')),
    );
    fc.assert(
      fc.property(typed, (text) => {
        try {
          expect(parsePastMoment(text, now, zone)).toBeLessThanOrEqual(now.getTime() * 1000);
        } catch (error) {
          expect(error).toBeInstanceOf(Stop);
          expect((error as Stop).code).toBe(2);
        }
      }),
      { numRuns: 500 },
    );
  });
});
