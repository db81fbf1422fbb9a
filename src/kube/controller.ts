import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { WorkQueue } from './queue.ts';

/** What a reconcile wants next. To throw is to be asked again, later by twice as much each time. */
export type Outcome = { readonly requeueAfterMilliseconds: number } | 'done';

export interface ControllerHooks {
  reconciled(controller: string, result: 'success' | 'requeue' | 'error', seconds: number): void;
}

interface ControllerOptions<Key extends string> {
  readonly name: string;
  readonly queue: WorkQueue<Key>;
  readonly workers: number;
  readonly reconcile: (key: Key, signal: AbortSignal) => Promise<Outcome>;
  readonly log: Log;
  readonly clock: Clock;
  readonly hooks: ControllerHooks;
  readonly signal: AbortSignal;
}

/** A reconcile that takes longer than this is given up, so that one hung call never stops a worker for good. */
const longestReconcile = 120_000;

/** Runs reconciles until the signal aborts, and resolves when the last of them has ended. */
export async function runController<Key extends string>(options: ControllerOptions<Key>): Promise<void> {
  await Promise.all(Array.from({ length: options.workers }, () => work(options)));
}

async function work<Key extends string>({ name, queue, reconcile, log, clock, hooks, signal }: ControllerOptions<Key>): Promise<void> {
  while (!signal.aborted) {
    const key = await queue.take(signal).catch(() => undefined);
    if (key === undefined) return;
    const begun = clock.monotonic();
    const seconds = () => (clock.monotonic() - begun) / 1000;
    try {
      // A reconcile under way is let to its end when the controller stops: it is short, and half of one is worse.
      const outcome = await reconcile(key, AbortSignal.timeout(longestReconcile));
      queue.forget(key);
      if (outcome !== 'done') queue.addAfter(key, outcome.requeueAfterMilliseconds);
      hooks.reconciled(name, outcome === 'done' ? 'success' : 'requeue', seconds());
    } catch (error) {
      const delay = queue.addRateLimited(key);
      hooks.reconciled(name, 'error', seconds());
      log.error({ controller: name, key, err: error, retryInMilliseconds: delay }, 'Reconcile failed');
    } finally {
      queue.done(key);
    }
  }
}
