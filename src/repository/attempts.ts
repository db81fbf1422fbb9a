import { setTimeout as delay } from 'node:timers/promises';
import { Failure, transient } from '../domain/failure.ts';

/** Milliseconds. */
export interface Timings {
  /** Without a byte in either direction. */
  readonly idle: number;
  /** The same while the store puts an upload's parts together. */
  readonly completing: number;
  /** How long a store that has answered before may be away. */
  readonly outage: number;
  /** For removing what a failed upload left. */
  readonly cleanUp: number;
}

export const usualTimings: Timings = {
  idle: 30_000,
  completing: 15 * 60_000,
  outage: 120_000,
  cleanUp: 30_000,
};

/** Of a store that has never answered: what is wrong with it is more likely in the manifest than in the network. */
const firstAttempts = 3;

export interface Attempt {
  /** Aborts with the caller's own, or when nothing has moved for too long. */
  readonly signal: AbortSignal;
  /** Bytes have moved: what hangs is told from what is slow. */
  readonly alive: () => void;
}

export interface AttemptOptions {
  /** What it could not do when it was stopped: `store s3://bucket/key`. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly completing?: boolean | undefined;
  /** What the error of one attempt is to a person. A TimeoutError is one that `alive` was not called in time for. */
  readonly explain: (error: unknown) => Failure;
}

export type RunAttempts = <T>(options: AttemptOptions, send: (attempt: Attempt) => Promise<T>) => Promise<T>;

/**
 * Runs requests of one store. A failure that may pass is tried again for as long as an outage may last, if the store
 * has ever answered: so what is sent must be repeatable.
 */
export function createAttempts(timings: Timings, most = Number.POSITIVE_INFINITY): RunAttempts {
  let hasAnswered = false;
  return async ({ what, signal, completing = false, explain }, send) => {
    const idle = completing ? timings.completing : timings.idle;
    for (let attempt = 0, since: number | undefined; ; attempt += 1) {
      const watch = watchIdle(signal, idle);
      const outcome = await settle(send(watch.attempt), { signal, idle: watch.attempt.signal, what, explain });
      watch.end();
      hasAnswered ||= !(outcome instanceof Failure) || (!outcome.retryable && outcome.reason !== 'Cancelled');
      if (!(outcome instanceof Failure)) return outcome.value;
      since ??= Date.now();
      const patient = hasAnswered ? Date.now() - since <= timings.outage : attempt + 1 < firstAttempts;
      if (!passes(outcome) || !patient || attempt + 1 >= most) throw outcome;
      await pause(attempt, signal);
    }
  };
}

function watchIdle(signal: AbortSignal, idle: number): { readonly attempt: Attempt; readonly end: () => void } {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new DOMException(`nothing for ${idle} ms`, 'TimeoutError')), idle);
  return {
    attempt: { signal: AbortSignal.any([signal, silent.signal]), alive: () => void timer.refresh() },
    end: () => clearTimeout(timer),
  };
}

/** Also returns when the signal aborts while a library waits for something else and does not notice. */
async function settle<T>(
  sent: Promise<T>,
  { signal, idle, what, explain }: AttemptOptions & { readonly idle: AbortSignal },
): Promise<{ readonly value: T } | Failure> {
  let onAbort: (() => void) | undefined;
  try {
    const value = await new Promise<T>((resolve, reject) => {
      onAbort = () => reject(idle.reason);
      idle.addEventListener('abort', onAbort, { once: true });
      sent.then(resolve, reject);
      if (idle.aborted) reject(idle.reason);
    });
    return { value };
  } catch (error) {
    if (signal.aborted) return cancelled(signal, what);
    return explain(idle.aborted ? idle.reason : error);
  } finally {
    if (onAbort !== undefined) idle.removeEventListener('abort', onAbort);
  }
}

/** The signal's own Failure where it has one: whoever aborts says why. */
export function cancelled({ reason }: AbortSignal, what: string): Failure {
  return reason instanceof Failure ? reason : transient('Cancelled', `Stopped before it could ${what}.`, reason);
}

const passing: readonly string[] = [
  'StoreUnreachable',
  'SlowDown',
  'StoreError',
  'ChecksumMismatch',
  'ExpiredToken',
  'WriteConflict',
];

export function passes({ reason, retryable }: Failure): boolean {
  return retryable && passing.includes(reason);
}

export async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(200 * 2 ** attempt, 10_000);
  // An abort is noticed by the next attempt, which does not begin then.
  await delay(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
}
