import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/kube/clock.ts';

interface Timer {
  readonly due: number;
  readonly wake: () => void;
}

interface Skew {
  /** Milliseconds that its wall clock is off. */
  readonly wall: number;
  /** How fast it runs: 1.1 gains a tenth. */
  readonly rate: number;
}

/** A clock that a test turns by hand. */
export class FakeClock implements Clock {
  readonly #startedAt: number;
  #time = 0;
  readonly #timers = new Set<Timer>();

  constructor(startedAt = Date.UTC(2026, 2, 29)) {
    this.#startedAt = startedAt;
  }

  now(): Date {
    return new Date(this.#startedAt + this.#time);
  }

  monotonic(): number {
    return this.#time;
  }

  /** How many wait. */
  get sleepers(): number {
    return this.#timers.size;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = { due: this.#time + Math.max(0, milliseconds), wake: resolve };
    const abort = () => reject(signal.reason);
    this.#timers.add(timer);
    signal.addEventListener('abort', abort, { once: true });
    await promise.finally(() => {
      this.#timers.delete(timer);
      signal.removeEventListener('abort', abort);
    });
  }

  /** Turns the clock, timer by timer; who wakes runs until its next wait before time goes on. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#time + milliseconds;
    await turn();
    for (;;) {
      const next = [...this.#timers].reduce<Timer | undefined>(
        (first, timer) => (timer.due <= end && (first === undefined || timer.due < first.due) ? timer : first),
        undefined,
      );
      if (next === undefined) break;
      this.#time = Math.max(this.#time, next.due);
      this.#timers.delete(next);
      next.wake();
      await turn();
    }
    this.#time = end;
  }

  /** Turns the clock by `step` with each turn of the event loop until the condition holds; fails after ten real seconds. */
  async until(holds: () => boolean, step = 100): Promise<void> {
    for (const begun = performance.now(); !holds(); ) {
      if (performance.now() - begun > 10_000) throw new Error('what was waited for did not come about');
      await this.advance(step);
    }
  }

  /** The same time as a host sees it whose clock is off and runs at another rate. */
  skewed({ wall, rate }: Skew): Clock {
    return {
      now: () => new Date(this.#startedAt + wall + this.#time * rate),
      monotonic: () => this.#time * rate,
      sleep: (milliseconds, signal) => this.sleep(milliseconds / rate, signal),
    };
  }
}
