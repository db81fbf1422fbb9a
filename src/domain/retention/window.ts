const hour = 3_600_000;

/** A month and a year are never shorter than the calendar's, so that no window is. */
const units: Readonly<Record<string, number>> = {
  h: hour,
  d: 24 * hour,
  w: 7 * 24 * hour,
  m: 31 * 24 * hour,
  y: 366 * 24 * hour,
};

/** Milliseconds of a duration such as 14d. Throws a RangeError for what is none. */
export function durationOf(text: string): number {
  const [, number, unit = ''] = /^([1-9][0-9]*)([hdwmy])$/.exec(text) ?? [];
  const length = units[unit];
  if (number === undefined || length === undefined) throw new RangeError(`${JSON.stringify(text)} is no duration`);
  return Number(number) * length;
}

/** The first instant that a recovery window promises; undefined without one. */
export function windowStart(recoveryWindow: string | undefined, now: Date): Date | undefined {
  return recoveryWindow === undefined ? undefined : new Date(now.getTime() - durationOf(recoveryWindow));
}
