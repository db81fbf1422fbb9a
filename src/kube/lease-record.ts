import { isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import { microTime } from './micro-time.ts';
import { resourcePath } from './paths.ts';

/** client-go's own: long enough that a slow API server elects nobody anew. */
export const leaseDuration = 15_000;

export interface Lease {
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

/**
 * The lease as this process has seen it change. Whether it has expired is judged by when the change was seen here, never
 * by the holder's clock, which may be hours off.
 */
export class ObservedLease {
  readonly #clock: Clock;
  #lease: Lease | undefined;
  /** The last one that was there: who deletes a lease does not stop its holder, so that is waited for all the same. */
  #last: LeaseSpec | undefined;
  #changedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  get holder(): string {
    return this.#lease?.spec.holderIdentity ?? '';
  }

  see(lease: Lease | undefined): void {
    const changed = lease?.metadata.resourceVersion !== this.#lease?.metadata.resourceVersion;
    this.#lease = lease;
    if (!changed) return;
    this.#changedAt = this.#clock.monotonic();
    this.#last = lease?.spec ?? this.#last;
  }

  get isFree(): boolean {
    if (this.#last === undefined) return true;
    const { holderIdentity = '', leaseDurationSeconds = leaseDuration / 1000 } = this.#last;
    return holderIdentity === '' || this.#clock.monotonic() - this.#changedAt > leaseDurationSeconds * 1000;
  }
}

export interface LeasePlace {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
}

export async function readLease(
  { client, namespace, name }: LeasePlace,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  try {
    return await client.request<Lease>('GET', resourcePath('Lease', { namespace, name }), { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

interface Claim {
  /** What the claim builds on: who writes second, on the same resourceVersion, is refused with a conflict. */
  readonly seen: Lease | undefined;
  /** The holder; empty to give the lease back. */
  readonly holder: string;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export async function writeLease(
  { client, namespace, name }: LeasePlace,
  { seen, holder, now, signal }: Claim,
): Promise<Lease> {
  const before = seen?.spec;
  const time = microTime(now);
  const taken = holder !== '' && holder !== before?.holderIdentity;
  const spec: LeaseSpec = {
    holderIdentity: holder,
    leaseDurationSeconds: leaseDuration / 1000,
    acquireTime: taken ? time : (before?.acquireTime ?? time),
    renewTime: time,
    leaseTransitions: (before?.leaseTransitions ?? 0) + (taken && seen !== undefined ? 1 : 0),
  };
  const body: Lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...seen?.metadata, name, namespace },
    spec,
  };
  if (seen === undefined) {
    return await client.request<Lease>('POST', resourcePath('Lease', { namespace }), { body, signal });
  }
  return await client.request<Lease>('PUT', resourcePath('Lease', { namespace, name }), { body, signal });
}
