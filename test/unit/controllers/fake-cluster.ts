import type { Caches, Context } from '../../../src/controllers/context.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient, KubeObject, RequestOptions } from '../../../src/kube/client.ts';
import type { EventNote } from '../../../src/kube/events.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { agent, now } from './objects.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

type Answer = (call: Call) => unknown;

const ourKinds: Readonly<Record<string, keyof Caches>> = {
  backuppolicies: 'policies',
  backupruns: 'runs',
  restorerequests: 'restores',
  pitrrecoveries: 'recoveries',
  backuprepositories: 'repositories',
};

/** A client that notes what is asked, and a context whose caches hold what they are given. */
export class FakeCluster {
  readonly calls: Call[] = [];
  readonly events: EventNote[] = [];
  readonly clock = new FakeClock(now.getTime());
  /** Answers first; undefined: what the caches have of our kinds and of pods is there, nothing else is, and every write succeeds. */
  answer: Answer = () => undefined;
  readonly #cached: Partial<Record<keyof Caches, readonly KubeObject[]>>;

  constructor(cached: Partial<Record<keyof Caches, readonly object[]>> = {}) {
    this.#cached = cached as Partial<Record<keyof Caches, readonly KubeObject[]>>;
  }

  get context(): Context {
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    return {
      client: this.client,
      caches: this.#caches(),
      settings: { agent, agentAccess: 'Managed', agentClusterRole: 'tidemark-agent' },
      clock: this.clock,
      log,
      accounts: new Map(),
      record: (_, event) => void this.events.push(event),
    };
  }

  get client(): KubeClient {
    return {
      namespace: 'shop',
      request: async <Result>(method: string, path: string, { body }: RequestOptions = {}) => {
        const call = { method, path, body };
        this.calls.push(call);
        const answer = this.answer(call) ?? (method === 'GET' ? this.#present(path) : undefined);
        if (answer === undefined && method === 'GET') throw new ApiError(404, 'NotFound', `${path} is not there`);
        return (answer ?? {}) as Result;
      },
      watch: () => {
        throw new Error('nothing is watched here');
      },
      close: async () => undefined,
    };
  }

  /** What was written, as method and the end of the path. */
  get writes(): readonly string[] {
    return this.calls
      .filter(({ method }) => method !== 'GET')
      .map(({ method, path }) => `${method} ${path.split('/namespaces/shop/')[1]}`);
  }

  written(end: string): unknown {
    return this.calls.findLast(({ method, path }) => method !== 'GET' && path.endsWith(end))?.body;
  }

  #present(path: string): object | undefined {
    if (path.endsWith('/pods')) return { items: this.#cached.pods ?? [] };
    const [, namespace, plural = '', name] = /\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const kind = ourKinds[plural];
    const objects = kind === undefined ? [] : (this.#cached[kind] ?? []);
    return objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  }

  #caches(): Caches {
    const cache = (objects: readonly KubeObject[] = []) => ({
      get: (namespace: string, name: string) =>
        objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      list: () => objects,
      byIndex: () => objects,
    });
    const kinds = ['policies', 'runs', 'restores', 'recoveries', 'repositories', 'jobs', 'cronJobs', 'pods'] as const;
    return Object.fromEntries(kinds.map((kind) => [kind, cache(this.#cached[kind])])) as unknown as Caches;
  }
}
