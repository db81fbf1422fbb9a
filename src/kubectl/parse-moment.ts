import { casual, type ParsedResult } from 'chrono-node';
import { formatMoment, type Moment, parseMoment } from '../domain/recovery/moment.ts';
import { isTimeZone } from '../domain/schedule.ts';
import { instantsOf, offsetAt, showInZone, showOffset, type WallTime } from '../domain/wall-clock.ts';
import { type Stop, usage } from './exit-code.ts';

/**
 * The instant that a person means by "10 minutes ago", "yesterday 10:15", "2026-11-21 10:15 Europe/Amsterdam" or RFC 3339.
 * What could be two instants, or none, or is only half understood, is refused: a recovery to the wrong minute is worse.
 */
export function parsePastMoment(text: string, now: Date, timeZone: string): Moment {
  const moment = parse(text.trim(), now, timeZone);
  if (moment <= now.getTime() * 1000) return moment;
  const hint = /^[0-9]{1,2}:/.test(text.trim()) ? ` Did you mean "yesterday ${text.trim()}"?` : '';
  throw wrong(text, `that is ${formatMoment(moment)}, which has not come yet.${hint}`);
}

function parse(text: string, now: Date, timeZone: string): Moment {
  if (/^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].*([Zz]|[+-][0-9]{2}:[0-9]{2})$/.test(text)) return rfc3339(text);
  const [said, zone = timeZone] = splitZone(text);
  const written = numeric.exec(said);
  if (written !== null) return ofWall(text, wallOf(text, written), zone, written[7]);
  return inWords(text, said, now, zone);
}

function rfc3339(text: string): Moment {
  const [, year, month, day] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})/.exec(text) ?? [];
  try {
    if (!isDate(Number(year), Number(month), Number(day))) throw wrong(text, 'there is no such day.');
    return parseMoment(text);
  } catch {
    throw wrong(text, 'there is no such time.');
  }
}

const numeric =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:[.][0-9]{1,9})?))? ?(Z|[+-][0-9]{2}:[0-9]{2})?$/i;

function wallOf(text: string, [, year, month, day, hour, minute, second = '0']: RegExpExecArray): WallTime {
  const [whole = '0', fraction = ''] = second.split('.');
  const wall = {
    ...{ year: Number(year), month: Number(month), day: Number(day) },
    ...{ hour: Number(hour), minute: Number(minute), second: Number(whole) },
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
  };
  if (!isDate(wall.year, wall.month, wall.day) || wall.hour > 23 || wall.minute > 59 || wall.second > 59)
    throw wrong(text, 'there is no such day or time.');
  return wall;
}

function isDate(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** A zone's name at the end, as in `10:15 Europe/Amsterdam` and `10:15 UTC`. */
function splitZone(text: string): readonly [string, string?] {
  const [, said, zone] = /^(.*\S)\s+(UTC|GMT|[A-Z][A-Za-z_]+\/[A-Za-z0-9_+/-]+)$/.exec(text) ?? [];
  if (said === undefined || zone === undefined) return [text];
  if (!isTimeZone(zone)) throw wrong(text, `${zone} is no time zone that is known here.`);
  return [said, zone];
}

function ofWall(text: string, wall: WallTime, timeZone: string, offset?: string): Moment {
  const micro = wall.microsecond ?? 0;
  if (offset !== undefined) {
    const { year, month, day, hour, minute, second } = wall;
    const [, sign = '+', hours = '0', minutes = '0'] = /^([+-])([0-9]{2}):([0-9]{2})$/.exec(offset) ?? [];
    const ahead = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000);
    return (Date.UTC(year, month - 1, day, hour, minute, second) - ahead) * 1000 + micro;
  }
  const [first, second] = instantsOf(wall, timeZone);
  if (first === undefined)
    throw wrong(text, `the clocks of ${timeZone} were put forward over that time, so it never was.`);
  if (second === undefined) return first * 1000 + micro;
  const both = [first, second].map((instant) => `${showOffset(offsetAt(instant, timeZone))}`);
  throw wrong(
    text,
    `the clocks of ${timeZone} were put back, so that time was twice. Say which one: ${showInZone(first, timeZone)}, or with ${both[1]} instead of ${both[0]}.`,
  );
}

function inWords(text: string, said: string, now: Date, timeZone: string): Moment {
  if (/[0-9]+[/.][0-9]+[/.][0-9]+/.test(said))
    throw wrong(text, 'the order of day and month is not certain: write the year first, 2026-11-21 10:15.');
  if (/[0-9][.][0-9]/.test(said)) throw wrong(text, 'parts of a second go with a date: 2026-11-21 10:15:30.5.');
  if (abbreviation.test(said))
    throw wrong(text, 'an abbreviated time zone means several: say an offset (+01:00) or a name (Europe/Amsterdam).');
  const timezone = offsetAt(now.getTime(), timeZone) / 60_000;
  const results = casual.parse(said, { instant: now, timezone });
  const [result] = results;
  if (result === undefined || results.length > 1 || result.end != null || result.text.length !== said.length)
    throw wrong(text, 'it is not understood.');
  const ago = /\bago$/i.test(said);
  if (!result.start.isCertain('hour') && !ago) throw wrong(text, 'it says a day and no time of day.');
  // Hours and minutes ago are so much before now; so many days ago is the same time of that day.
  if (result.start.isCertain('timezoneOffset')) return result.start.date().getTime() * 1000;
  return ofWall(text, wallOfResult(result), timeZone);
}

const abbreviation = /\b(?!SAT\b|OCT\b|SEPT\b)[A-Z]{1,4}T\b/;

function wallOfResult({ start }: ParsedResult): WallTime {
  const part = (name: 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second') => start.get(name) ?? 0;
  return {
    ...{ year: part('year'), month: part('month'), day: part('day') },
    ...{ hour: part('hour'), minute: part('minute'), second: part('second') },
  };
}

function wrong(text: string, why: string): Stop {
  return usage(
    `The time ${JSON.stringify(text)} cannot be used: ${why} Write it as "10 minutes ago", "yesterday 10:15", "2026-11-21 10:15:00" or 2026-11-21T10:15:00+01:00.`,
  );
}
