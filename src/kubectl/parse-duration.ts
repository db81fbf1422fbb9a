/** Milliseconds of 90s, 15m, 36h, 14d, 2w; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^([0-9]{1,6})(s|m|h|d|w)$/.exec(text) ?? [];
  const factors: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  const milliseconds = Number(count) * (factors[unit ?? ''] ?? Number.NaN) * 1000;
  return milliseconds > 0 ? milliseconds : undefined;
}
