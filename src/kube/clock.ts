import { setTimeout as pause } from 'node:timers/promises';

/** Time, as everything that waits sees it; tests hand in one that they turn by hand. */
export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Node fires a timer that is set for longer than this at once. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    signal.throwIfAborted();
    try {
      for (let left = milliseconds; left > 0; left -= longestTimer)
        await pause(Math.min(left, longestTimer), undefined, { signal });
    } catch {
      throw signal.reason;
    }
  },
};
