export type Period = 'Day' | 'Week' | 'Month' | 'Year';

/**
 * Names the period that a moment lies in, by the calendar of a time zone: 2026-11-21, 2026-W47, 2026-11, 2026. Weeks are
 * those of ISO 8601: they begin on Monday, and the first of a year is the one with its first Thursday.
 */
export function periodNames(timeZone: string): (moment: Date, period: Period) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  return (moment, period) => {
    const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
    const { year = '', month = '', day = '' } = parts;
    switch (period) {
      case 'Day':
        return `${year}-${month}-${day}`;
      case 'Week':
        return isoWeek(Number(year), Number(month), Number(day));
      case 'Month':
        return `${year}-${month}`;
      case 'Year':
        return year;
    }
  };
}

const dayMilliseconds = 86_400_000;

function isoWeek(year: number, month: number, day: number): string {
  const date = Date.UTC(year, month - 1, day);
  const weekday = (new Date(date).getUTCDay() + 6) % 7;
  const thursday = new Date(date + (3 - weekday) * dayMilliseconds);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - first) / dayMilliseconds / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}
