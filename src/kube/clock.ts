import { setTimeout as pause } from 'node:timers/promises';

/** Time, as everything that waits sees it; tests hand in one that they turn by hand. */
export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await pause(milliseconds, undefined, { signal });
  },
};
