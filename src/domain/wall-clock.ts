/** What a clock on a wall shows; it names no instant until it is said where the wall stands. `month` is 1 to 12. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 to 999,999. */
  readonly microsecond?: number;
}

const longestOffset = 18 * 3_600_000;

/**
 * The instants, in milliseconds since 1970, at which the clocks of a time zone show this (its microseconds left out), the
 * earlier first: none where they are put forward over it, two where they are put back.
 */
export function instantsOf(wall: WallTime, timeZone: string): readonly number[] {
  const { year, month, day, hour, minute, second } = wall;
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second);
  // No zone changes its offset twice within a day and a half: those before and after are all that can be meant.
  const offsets = [asUtc - longestOffset, asUtc, asUtc + longestOffset].map((near) => offsetAt(near, timeZone));
  const candidates = [...new Set(offsets)].map((offset) => asUtc - offset);
  return candidates.filter((instant) => instant + offsetAt(instant, timeZone) === asUtc).toSorted((a, b) => a - b);
}

/** Milliseconds that the zone's clocks are ahead of UTC at an instant. */
export function offsetAt(instant: number, timeZone: string): number {
  const { year, month, day, hour, minute, second } = wallAt(instant, timeZone);
  const whole = Math.floor(instant / 1000) * 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function wallAt(instant: number, timeZone: string): WallTime {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const two = '2-digit';
    format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn' },
      ...{ year: 'numeric', month: two, day: two, hour: two, minute: two, second: two },
    });
    formats.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  return {
    ...{ year: part('year'), month: part('month'), day: part('day') },
    ...{ hour: part('hour'), minute: part('minute'), second: part('second') },
  };
}

/** 2026-11-21 10:15:00 +01:00, as the zone's clocks show it. */
export function showInZone(instant: number, timeZone: string): string {
  const { year, month, day, hour, minute, second } = wallAt(instant, timeZone);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return `${date} ${two(hour)}:${two(minute)}:${two(second)} ${showOffset(offsetAt(instant, timeZone))}`;
}

export function showOffset(milliseconds: number): string {
  const minutes = Math.round(Math.abs(milliseconds) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${milliseconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
