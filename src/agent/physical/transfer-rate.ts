const least = 32;
const most = 1_048_576;

/** `200M` as pg_basebackup takes it, in kB per second as the server does, within what it allows. */
export function kilobytesPerSecond(rate: string): number {
  const number = Number.parseInt(rate, 10);
  return Math.min(most, Math.max(least, rate.endsWith('M') ? number * 1024 : number));
}
