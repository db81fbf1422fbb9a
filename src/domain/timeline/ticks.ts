import { instantsOf, wallAt } from '../wall-clock.ts';
import type { Span } from './spans.ts';

export interface Tick {
  readonly at: number;
  readonly label: string;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const steps = [
  ...[minute, 5 * minute, 15 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour],
  ...[day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 182 * day, 364 * day],
];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Round times of the zone's clocks, at most so many. */
export function ticksOf(shown: Span, timeZone: string, most: number): readonly Tick[] {
  const length = shown.to - shown.from;
  const step = steps.find((each) => length / each <= most) ?? Math.ceil(length / most / day) * day;
  const first = wallAt(shown.from, timeZone);
  // Counted on the wall's own calendar, from a midnight: a day of 23 hours moves no later tick.
  const midnight = Date.UTC(first.year, first.month - 1, first.day);
  const ticks: Tick[] = [];
  for (let wall = midnight; ticks.length < most; wall += step) {
    const at = instantAt(wall, timeZone);
    if (at > shown.to) break;
    if (at >= shown.from) ticks.push({ at, label: labelOf(wall, step) });
  }
  return ticks;
}

function instantAt(wall: number, timeZone: string): number {
  const date = new Date(wall);
  const [instant] = instantsOf(
    {
      ...{ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() },
      ...{ hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: 0 },
    },
    timeZone,
  );
  // Put forward over it: the hour after has it.
  return instant ?? instantAt(wall + hour, timeZone);
}

function labelOf(wall: number, step: number): string {
  const date = new Date(wall);
  const two = (value: number) => String(value).padStart(2, '0');
  const isMidnight = wall % day === 0;
  if (step < day && !isMidnight) return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  return `${months[date.getUTCMonth()]} ${date.getUTCDate()}`;
}
