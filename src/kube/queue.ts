import type { Clock } from './clock.ts';

const firstBackoff = 1_000;
const longestBackoff = 300_000;

/**
 * Keys to be looked at. A key that is added many times is looked at once; one that is added while it is being looked at
 * is looked at again afterwards, never twice at once. After client-go's workqueue.
 */
export class WorkQueue<Key extends string> {
  readonly #clock: Clock;
  readonly #ready = new Set<Key>();
  readonly #processing = new Set<Key>();
  readonly #dirty = new Set<Key>();
  readonly #waiting = new Map<Key, number>();
  readonly #failures = new Map<Key, number>();
  readonly #takers = new Set<(key: Key) => void>();
  #timer: { readonly due: number; readonly stop: AbortController } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keys that are due. */
  get depth(): number {
    return this.#ready.size + this.#dirty.size;
  }

  /** Keys that a worker looks at. */
  get active(): number {
    return this.#processing.size;
  }

  /** Keys that are due later. */
  get waiting(): number {
    return this.#waiting.size;
  }

  add(key: Key): void {
    if (this.#processing.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#ready.add(key);
    this.#hand();
  }

  /** The earliest of several times wins. An `add` in between does not make it superfluous: its hour is still to come. */
  addAfter(key: Key, milliseconds: number): void {
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const due = this.#clock.monotonic() + milliseconds;
    const known = this.#waiting.get(key);
    if (known !== undefined && known <= due) return;
    this.#waiting.set(key, due);
    if (this.#timer === undefined || due < this.#timer.due) this.#wakeAt(due);
  }

  /** Later by twice as much at each call, until `forget`; returns the milliseconds. */
  addRateLimited(key: Key): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delay = Math.min(longestBackoff, firstBackoff * 2 ** Math.min(failures, 20));
    this.addAfter(key, delay);
    return delay;
  }

  forget(key: Key): void {
    this.#failures.delete(key);
  }

  /** The next key; the caller must say `done` with it. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<Key> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Key>();
    const abort = () => {
      // A key that was handed over already is the taker's, signal or not: it would be lost otherwise.
      if (this.#takers.delete(resolve)) reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#takers.add(resolve);
    this.#hand();
    return await promise.finally(() => signal.removeEventListener('abort', abort));
  }

  done(key: Key): void {
    this.#processing.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  /** Lets go of the timer, for a process that is to end by itself. Keys that wait are not handed out any more. */
  close(): void {
    this.#timer?.stop.abort();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #hand(): void {
    for (const key of this.#ready) {
      const [taker] = this.#takers;
      if (taker === undefined) return;
      this.#takers.delete(taker);
      this.#ready.delete(key);
      this.#processing.add(key);
      taker(key);
    }
  }

  /** One timer, for the earliest of the waiting keys. */
  #wakeAt(due: number): void {
    this.#timer?.stop.abort();
    const stop = new AbortController();
    this.#timer = { due, stop };
    this.#clock.sleep(due - this.#clock.monotonic(), stop.signal).then(
      () => this.#release(),
      () => undefined,
    );
  }

  #release(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, due] of [...this.#waiting]) {
      if (due > now) {
        next = Math.min(next, due);
        continue;
      }
      this.#waiting.delete(key);
      this.add(key);
    }
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next);
  }
}
