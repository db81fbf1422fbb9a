import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient, Method, RequestOptions } from '../../../src/kube/client.ts';
import type { Lease } from '../../../src/kube/lease-record.ts';
import type { FakeClock } from '../../support/fake-clock.ts';

/**
 * What becomes of one call; `late` is done after so many milliseconds, whether or not anyone still waits for it, `slow`
 * is done at once and answered after so many.
 */
export type Fate = 'done' | 'lost' | 'answer lost' | 'refused' | { readonly late: number } | { readonly slow: number };

const never = new AbortController().signal;

/** One Lease, with the API server's own rules for who may write it, and calls that go astray. */
export class LeaseServer {
  lease: Lease | undefined;
  /** The fate of each call in turn, of whoever has no fates of its own; afterwards all is well. */
  fates: Fate[] = [];
  writes: { readonly at: number; readonly holder: string }[] = [];
  readonly #clock: FakeClock;
  #version = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  client(own?: Fate[]): KubeClient {
    return {
      namespace: 'tidemark-system',
      request: async <Answer>(method: Method, _path: string, options: RequestOptions = {}) =>
        (await this.#suffer(own ?? this.fates, method, options)) as Answer,
      watch: () => {
        throw new Error('nobody watches a lease here');
      },
      close: async () => undefined,
    };
  }

  async #suffer(fates: Fate[], method: Method, { body, signal }: RequestOptions): Promise<unknown> {
    const fate = fates.shift() ?? 'done';
    if (fate === 'refused') throw new ApiError(500, 'InternalError', 'as the test asked for');
    if (fate === 'lost') return await hang(signal);
    if (typeof fate === 'object' && 'late' in fate) {
      const doing = this.#clock.sleep(fate.late, never).then(() => this.#act(method, body as Lease));
      doing.catch(() => undefined);
      return await Promise.race([doing, hang(signal)]);
    }
    const answer = this.#act(method, body as Lease);
    if (typeof fate === 'object') await Promise.race([this.#clock.sleep(fate.slow, never), hang(signal)]);
    return fate === 'answer lost' ? await hang(signal) : answer;
  }

  #act(method: Method, body: Lease): Lease {
    if (method === 'GET') {
      if (this.lease === undefined) throw new ApiError(404, 'NotFound', 'no such lease');
      return this.lease;
    }
    if (method === 'POST' && this.lease !== undefined) throw new ApiError(409, 'AlreadyExists', 'there is one');
    if (method === 'PUT' && this.lease === undefined) throw new ApiError(404, 'NotFound', 'no such lease');
    if (body.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new ApiError(409, 'Conflict', 'somebody was quicker');
    for (const time of [body.spec.acquireTime, body.spec.renewTime])
      if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(time ?? ''))
        throw new ApiError(400, 'BadRequest', 'no MicroTime');
    this.#version += 1;
    this.lease = { ...body, metadata: { ...body.metadata, resourceVersion: String(this.#version) } };
    this.writes.push({ at: this.#clock.monotonic(), holder: body.spec.holderIdentity ?? '' });
    return this.lease;
  }
}

async function hang(signal: AbortSignal | undefined): Promise<never> {
  return await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
}
