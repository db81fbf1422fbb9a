import { Failure } from '../domain/failure.ts';
import { isConflict } from './api-error.ts';
import type { Clock } from './clock.ts';
import { LeaseLost } from './lease.ts';
import type { Log } from './log.ts';
import type { WorkQueue } from './queue.ts';

/** What a reconcile wants next. To throw is to be asked again, later by twice as much each time. */
export type Outcome = { readonly requeueAfterMilliseconds: number } | 'done';

/** Thrown by a reconcile that asking again cannot help: only a change of the object can. A terminal Failure is the same. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

export interface ControllerHooks {
  reconciled(controller: string, result: ReconcileResult, seconds: number): void;
}

export type ReconcileResult = 'success' | 'requeue' | 'error' | 'terminal';

export interface ControllerOptions<Key extends string> {
  readonly name: string;
  readonly queue: WorkQueue<Key>;
  readonly workers: number;
  readonly reconcile: (key: Key, signal: AbortSignal) => Promise<Outcome>;
  readonly log: Log;
  readonly clock: Clock;
  readonly hooks: ControllerHooks;
  readonly signal: AbortSignal;
  /** Milliseconds that the reconciles under way are given when the controller stops; default 20,000. */
  readonly drain?: number;
}

/** A reconcile that takes longer than this is given up, so that one hung call never stops a worker for good. */
const longestReconcile = 120_000;
const defaultDrain = 20_000;
/** What an aborted reconcile is given to come to its end. */
const lastWords = 5_000;

/**
 * Runs reconciles until the signal aborts, and resolves when the last of them has ended, at the latest `drain` and five
 * seconds later. Where leading was lost (LeaseLost) they are aborted at once: another leader may be at work already.
 */
export async function runController<Key extends string>(options: ControllerOptions<Key>): Promise<void> {
  const { name, queue, workers, log, clock, signal } = options;
  const giveUp = new AbortController();
  const all = Promise.all(Array.from({ length: workers }, () => work(options, giveUp.signal)));
  await Promise.race([all, aborted(signal)]);
  const drain = signal.reason instanceof LeaseLost ? 0 : (options.drain ?? defaultDrain);
  if (!(await endsWithin(clock, drain, all))) {
    giveUp.abort(signal.reason);
    if (!(await endsWithin(clock, lastWords, all)))
      log.error({ controller: name, active: queue.active }, 'Reconciles were left behind that did not end');
  }
  queue.close();
}

async function work<Key extends string>(options: ControllerOptions<Key>, giveUp: AbortSignal): Promise<void> {
  const { queue, signal } = options;
  while (!signal.aborted) {
    const key = await queue.take(signal).catch(() => undefined);
    if (key === undefined) return;
    try {
      await reconcileOnce(options, key, giveUp);
    } finally {
      queue.done(key);
    }
  }
}

async function reconcileOnce<Key extends string>(
  { name, queue, reconcile, log, clock, hooks }: ControllerOptions<Key>,
  key: Key,
  giveUp: AbortSignal,
): Promise<void> {
  const begun = clock.monotonic();
  const report = (result: ReconcileResult) => hooks.reconciled(name, result, (clock.monotonic() - begun) / 1000);
  try {
    const outcome = await reconcile(key, AbortSignal.any([giveUp, AbortSignal.timeout(longestReconcile)]));
    queue.forget(key);
    if (outcome !== 'done') queue.addAfter(key, outcome.requeueAfterMilliseconds);
    report(outcome === 'done' ? 'success' : 'requeue');
  } catch (error) {
    if (isTerminal(error)) {
      queue.forget(key);
      report('terminal');
      log.error(
        { controller: name, key, err: error },
        'Reconcile failed for good; a change of the object is waited for',
      );
      return;
    }
    const retryInMilliseconds = queue.addRateLimited(key);
    report('error');
    // Somebody was quicker: a matter of course, and no news for a person.
    const level = isConflict(error) ? 'debug' : 'error';
    log[level]({ controller: name, key, err: error, retryInMilliseconds }, 'Reconcile failed');
  }
}

function isTerminal(error: unknown): boolean {
  return error instanceof TerminalError || (error instanceof Failure && !error.retryable);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function endsWithin(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const late = clock.sleep(milliseconds, stop.signal).then(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    stop.abort();
  }
}
