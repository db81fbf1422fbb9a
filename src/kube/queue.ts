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
  readonly #takers: ((key: Key) => void)[] = [];
  #timer: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keys that could be looked at now. */
  get depth(): number {
    return this.#ready.size + this.#dirty.size;
  }

  get active(): number {
    return this.#processing.size;
  }

  add(key: Key): void {
    this.#waiting.delete(key);
    if (this.#processing.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#ready.add(key);
    this.#hand();
  }

  /** The earliest of several times wins. */
  addAfter(key: Key, milliseconds: number): void {
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const due = this.#clock.monotonic() + milliseconds;
    const known = this.#waiting.get(key);
    if (known !== undefined && known <= due) return;
    this.#waiting.set(key, due);
    this.#schedule();
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
      const position = this.#takers.indexOf(resolve);
      if (position >= 0) this.#takers.splice(position, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#takers.push(resolve);
    this.#hand();
    return await promise.finally(() => signal.removeEventListener('abort', abort));
  }

  done(key: Key): void {
    this.#processing.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  #hand(): void {
    for (const key of this.#ready) {
      const taker = this.#takers.shift();
      if (taker === undefined) return;
      this.#ready.delete(key);
      this.#processing.add(key);
      taker(key);
    }
  }

  /** One timer, for the earliest of the waiting keys. */
  #schedule(): void {
    this.#timer?.abort();
    if (this.#waiting.size === 0) return;
    const due = Math.min(...this.#waiting.values());
    const timer = new AbortController();
    this.#timer = timer;
    this.#clock.sleep(Math.max(0, due - this.#clock.monotonic()), timer.signal).then(
      () => this.#release(),
      () => undefined,
    );
  }

  #release(): void {
    const now = this.#clock.monotonic();
    for (const [key, due] of [...this.#waiting]) if (due <= now) this.add(key);
    this.#schedule();
  }
}
