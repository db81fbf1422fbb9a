import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { resourcePath } from './paths.ts';

interface ElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this process; never used by another, not even after a restart. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
  readonly signal: AbortSignal;
}

interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion?: string };
  readonly spec: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** client-go's own: long enough that a slow API server elects nobody anew. */
export const leaseDuration = 15_000;
export const renewDeadline = 10_000;
export const retryPeriod = 2_000;

/** The lease was lost: another leads, or this process could not say in time that it still does. */
export class LeaseLost extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LeaseLost';
  }
}

/**
 * Waits to lead, then runs `lead` while this process does. Rejects with LeaseLost when it no longer does; `lead`'s signal
 * aborts at that moment, or when the caller's does. The lease is given back after `lead` has ended, so that the next
 * leader never overlaps it. Leading is no fence: every write must be safe to be made twice.
 */
export async function runLeaderElection(options: ElectionOptions, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { clock, log, signal } = options;
  const observed = new ObservedLease(clock);
  if (!(await acquire(options, observed))) return;
  log.info({ identity: options.identity }, 'Started to lead');
  const lost = new AbortController();
  const stopRenewing = new AbortController();
  const renewing = renew(options, observed, stopRenewing.signal).catch((error: unknown) => lost.abort(error));
  try {
    await lead(AbortSignal.any([signal, lost.signal]));
    lost.signal.throwIfAborted();
  } finally {
    stopRenewing.abort();
    await renewing;
    if (!lost.signal.aborted) await release(options, observed);
  }
}

/**
 * The lease as this process has seen it change. Whether it has expired is judged by when the change was seen here, never
 * by the holder's clock, which may be hours off.
 */
class ObservedLease {
  readonly #clock: Clock;
  lease: Lease | undefined;
  #changedAt = 0;
  #mark = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  see(lease: Lease | undefined): void {
    this.lease = lease;
    const mark = `${lease?.spec.holderIdentity} ${lease?.spec.renewTime} ${lease?.spec.leaseTransitions}`;
    if (mark === this.#mark) return;
    this.#mark = mark;
    this.#changedAt = this.#clock.monotonic();
  }

  get isFree(): boolean {
    const { holderIdentity = '', leaseDurationSeconds = leaseDuration / 1000 } = this.lease?.spec ?? {};
    return holderIdentity === '' || this.#clock.monotonic() - this.#changedAt > leaseDurationSeconds * 1000;
  }
}

async function acquire(options: ElectionOptions, observed: ObservedLease): Promise<boolean> {
  const { clock, identity, log, random = Math.random, signal } = options;
  while (!signal.aborted) {
    try {
      observed.see(await readLease(options));
      if (observed.lease?.spec.holderIdentity === identity || observed.isFree) {
        await write(options, observed);
        return true;
      }
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error)) log.warn({ err: error }, 'The lease could not be read or taken');
    }
    await clock.sleep(retryPeriod * (1 + 0.2 * random()), signal).catch(() => undefined);
  }
  return false;
}

/** Renews until it is told to stop; throws when it could not for as long as the deadline. */
async function renew(options: ElectionOptions, observed: ObservedLease, stop: AbortSignal): Promise<void> {
  const { clock, identity, log } = options;
  let renewedAt = clock.monotonic();
  for (;;) {
    await clock.sleep(retryPeriod, stop).catch(() => undefined);
    if (stop.aborted) return;
    const begun = clock.monotonic();
    try {
      await write(options, observed);
      renewedAt = begun;
    } catch (error) {
      log.warn({ err: error }, 'The lease was not renewed');
      if (isConflict(error)) observed.see(await readLease(options).catch(() => observed.lease));
      const holder = observed.lease?.spec.holderIdentity;
      if (holder !== identity) throw new LeaseLost(`${holder ?? 'nobody'} holds the lease now`);
    }
    if (clock.monotonic() - renewedAt > renewDeadline) throw new LeaseLost(`the lease could not be renewed for ${renewDeadline / 1000} s`);
  }
}

async function release(options: ElectionOptions, observed: ObservedLease): Promise<void> {
  await write(options, observed, { holderIdentity: '' }).catch((error: unknown) => {
    options.log.warn({ err: error }, 'The lease was not given back; the next leader waits until it expires');
  });
}

async function readLease({ client, namespace, name }: ElectionOptions): Promise<Lease | undefined> {
  try {
    return await client.request<Lease>('GET', resourcePath('Lease', { namespace, name }), { timeout: renewDeadline / 2 });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** With the resourceVersion that was seen last: who writes second loses. */
async function write({ client, namespace, name, identity, clock }: ElectionOptions, observed: ObservedLease, change: LeaseSpec = {}): Promise<void> {
  const { lease } = observed;
  const now = microTime(clock.now());
  const mine = lease?.spec.holderIdentity === identity;
  const spec: LeaseSpec = {
    holderIdentity: identity,
    leaseDurationSeconds: leaseDuration / 1000,
    acquireTime: mine ? (lease.spec.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: (lease?.spec.leaseTransitions ?? 0) + (mine ? 0 : 1),
    ...change,
  };
  const metadata = { name, namespace, ...(lease === undefined ? {} : { resourceVersion: lease.metadata.resourceVersion ?? '' }) };
  const body: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
  const [method, place] = lease === undefined ? (['POST', { namespace }] as const) : (['PUT', { namespace, name }] as const);
  observed.see(await client.request<Lease>(method, resourcePath('Lease', place), { body, timeout: renewDeadline / 2 }));
}

/** metav1.MicroTime: exactly six fractional digits, or the API server refuses it. */
export function microTime(date: Date): string {
  return date.toISOString().replace(/Z$/, '000Z');
}
