const day = 86_400_000;

/**
 * Whether what is said to have happened at a time cannot have: it was said by a clock that was wrong, since set right.
 * Counting on from it would put everything off for as long as that clock was ahead. Clocks that differ by less than a day
 * may stay so, and are not doubted here.
 */
export function isYetToCome(milliseconds: number, now: Date): boolean {
  return milliseconds > now.getTime() + day;
}

/**
 * When to do again what is said to have been done at a time that is yet to come: so long after the Job that said so ended,
 * by the control plane's clock, since the clock that is wrong may be wrong still; at once where that is not known.
 */
export function afterWrongClock(jobEnded: string | undefined, pause: number, now: Date): number {
  const ended = Date.parse(jobEnded ?? '');
  return Number.isNaN(ended) || isYetToCome(ended, now) ? 0 : ended + pause;
}
