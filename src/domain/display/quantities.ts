const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Decimal units, three digits: 593 MB. Undefined for what is no number. */
export function bytes(value: string | number | undefined): string | undefined {
  const count = toNumber(value);
  if (count === undefined) return undefined;
  const power = Math.min(units.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  const scaled = count / 1000 ** power;
  const digits = power === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return digits === 0 && Math.round(scaled) === 1000 && power < units.length - 1
    ? `1.00 ${units[power + 1]}`
    : `${scaled.toFixed(digits)} ${units[power]}`;
}

export function toNumber(value: string | number | undefined): number | undefined {
  const number = value === undefined || value === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

/** 41 s, 3 min 5 s, 2 h 10 min, 4 d 3 h. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [big, unit, small, rest] =
    whole < 3600
      ? [Math.floor(whole / 60), 'min', 's', whole % 60]
      : whole < 86_400
        ? [Math.floor(whole / 3600), 'h', 'min', Math.floor((whole % 3600) / 60)]
        : [Math.floor(whole / 86_400), 'd', 'h', Math.floor((whole % 86_400) / 3600)];
  return rest === 0 ? `${big} ${unit}` : `${big} ${unit} ${rest} ${small}`;
}

/** Seconds between two times; undefined where one is missing, or is none. */
export function secondsBetween(from: string | undefined, to: string | undefined): number | undefined {
  const seconds = (Date.parse(to ?? '') - Date.parse(from ?? '')) / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

/** `3 h 5 min ago`, `in 4 min`; undefined for what is no time. */
export function relative(time: string | undefined, now: Date): string | undefined {
  const seconds = (now.getTime() - Date.parse(time ?? '')) / 1000;
  if (!Number.isFinite(seconds)) return undefined;
  return seconds >= 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}
