import { isNamespaceTerminating } from '../kube/api-error.ts';
import { keyOf } from '../kube/cache.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Outcome, runController } from '../kube/controller.ts';
import { EventRecorder } from '../kube/events.ts';
import { fenced } from '../kube/fenced.ts';
import { runLeaderElection } from '../kube/lease.ts';
import type { Log } from '../kube/log.ts';
import { WorkQueue } from '../kube/queue.ts';
import type { Metrics } from '../observability/metrics.ts';
import { reconcilePolicy } from './backup-policy/reconcile.ts';
import { reconcileRepository } from './backup-repository/reconcile.ts';
import { reconcileRun } from './backup-run/reconcile.ts';
import { createCaches } from './caches.ts';
import type { Caches, Context, Settings } from './context.ts';
import { recordScheduledJob } from './jobs/record-job.ts';
import { figuresOf } from './observe/figures-of.ts';
import { reconcileRecovery } from './pitr-recovery/reconcile.ts';
import { reconcileRestore } from './restore-request/reconcile.ts';
import { type Key, routeChanges } from './route-changes.ts';

export interface ManagerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: Settings;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly lease: { readonly namespace: string; readonly name: string; readonly identity: string };
}

export interface Manager {
  readonly caches: Caches;
  readonly leads: boolean;
  /** Resolves after a clean stop; rejects with LeaseLost, or with what made a cache end. */
  run(signal: AbortSignal): Promise<void>;
}

const workers = 4;
const resyncMilliseconds = 30 * 60_000;
const observeMilliseconds = 5_000;

/** Caches on every replica, so that the next leader begins warm; reconciles on the leader alone. */
export function createManager(options: ManagerOptions): Manager {
  const { client, clock, log, metrics, namespaces, lease } = options;
  const caches = createCaches({ client, clock, log, namespaces });
  const stopCaches = new AbortController();
  const follows = () => false;
  let leads = follows;
  const run = async (signal: AbortSignal) => {
    const blind = new AbortController();
    // Caches end only when they are told to; where one fails, this replica must neither lead nor wait to.
    const following = Promise.all(Object.values(caches).map((cache) => cache.run(stopCaches.signal))).catch((error) => {
      if (!stopCaches.signal.aborted) blind.abort(error);
    });
    const either = AbortSignal.any([signal, blind.signal]);
    try {
      await runLeaderElection({ ...lease, client, clock, log, signal: either }, async (leading, stillLeads) => {
        metrics.leader.set(1);
        leads = stillLeads;
        await lead({ ...options, client: fenced(client, stillLeads) }, caches, leading);
      });
      blind.signal.throwIfAborted();
    } finally {
      metrics.leader.set(0);
      leads = follows;
      stopCaches.abort();
      await following;
    }
  };
  return {
    caches,
    get leads() {
      return leads();
    },
    run,
  };
}

async function lead(options: ManagerOptions, caches: Caches, signal: AbortSignal): Promise<void> {
  const { client, clock, log, metrics, settings, lease } = options;
  await Promise.race([Promise.all(Object.values(caches).map((cache) => cache.synced)), aborted(signal)]);
  const recorder = new EventRecorder({ client, instance: lease.identity, clock, log });
  const context: Context = {
    client,
    caches,
    settings,
    clock,
    log,
    accounts: new Map(),
    record: (object, event) => void recorder.record(object, event),
  };
  const controllers = controllersOf(context);
  routeChanges(caches, controllers.queues);
  const enqueueAll = () => {
    for (const [name, cache] of Object.entries(caches)) {
      const queue = controllers.queues[name as keyof typeof controllers.queues];
      for (const object of queue === undefined ? [] : cache.list()) queue.add(keyOf(object) as Key);
    }
  };
  enqueueAll();
  const resync = setInterval(enqueueAll, resyncMilliseconds);
  const observing = setInterval(() => {
    for (const [name, queue] of Object.entries(controllers.queues)) {
      metrics.queueDepth.set({ controller: name }, queue.depth);
      metrics.activeWorkers.set({ controller: name }, queue.active);
    }
    metrics.observe(figuresOf(caches, clock.now()));
  }, observeMilliseconds);
  const hooks = {
    reconciled: (controller: string, result: string, seconds: number) => {
      metrics.reconciles.inc({ controller, result });
      metrics.reconcileSeconds.observe({ controller }, seconds);
    },
  };
  try {
    await Promise.all(
      controllers.list.map(({ name, reconcile }) =>
        runController({ name, queue: controllers.queues[name], workers, reconcile, log, clock, hooks, signal }),
      ),
    );
  } finally {
    clearInterval(resync);
    clearInterval(observing);
  }
}

function controllersOf(context: Context) {
  const queue = () => new WorkQueue<Key>(context.clock);
  const queues = {
    policies: queue(),
    runs: queue(),
    restores: queue(),
    recoveries: queue(),
    repositories: queue(),
    jobs: queue(),
  };
  const of =
    (reconcile: (context: Context, namespace: string, name: string, signal: AbortSignal) => Promise<Outcome>) =>
    async (key: Key, signal: AbortSignal) => {
      const [namespace = '', name = ''] = key.split('/');
      try {
        return await reconcile(context, namespace, name, signal);
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
        context.log.debug({ key, err: error }, 'The namespace goes away, and nothing is made in it any more');
        return 'done';
      }
    };
  const list = [
    { name: 'policies', reconcile: of(reconcilePolicy) },
    { name: 'runs', reconcile: of(reconcileRun) },
    { name: 'restores', reconcile: of(reconcileRestore) },
    { name: 'recoveries', reconcile: of(reconcileRecovery) },
    { name: 'repositories', reconcile: of(reconcileRepository) },
    { name: 'jobs', reconcile: of(reconcileJob) },
  ] as const;
  return { queues, list };
}

async function reconcileJob(context: Context, namespace: string, name: string, signal: AbortSignal): Promise<Outcome> {
  const job = context.caches.jobs.get(namespace, name);
  if (job !== undefined) await recordScheduledJob(context, job, signal);
  return 'done';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
