import { terminal } from '../failure.ts';

/** Microseconds since 1970, as PostgreSQL compares them. */
export type Moment = number;

/** Of an RFC 3339 text with an offset; what is finer than a microsecond is dropped. */
export function parseMoment(text: string): Moment {
  const [, second, fraction = '', offset] =
    /^(.{10}[Tt].{8})(?:[.]([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})$/.exec(text) ?? [];
  const milliseconds = Date.parse(`${second}${offset}`.toUpperCase());
  if (Number.isNaN(milliseconds)) {
    throw terminal(
      'InvalidRequest',
      `recoveryTarget.targetTime ${JSON.stringify(text)} is no moment. Write it as 2026-11-21T10:15:00+01:00.`,
    );
  }
  return milliseconds * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** In UTC, with as many digits as it has. */
export function formatMoment(moment: Moment): string {
  const micro = ((moment % 1_000_000) + 1_000_000) % 1_000_000;
  const second = new Date((moment - micro) / 1000).toISOString().slice(0, 19);
  const digits = String(micro).padStart(6, '0').replace(/0+$/, '');
  return digits === '' ? `${second}Z` : `${second}.${digits}Z`;
}

export function momentOf(date: Date): Moment {
  return date.getTime() * 1000;
}
