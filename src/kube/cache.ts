import { isNotFound } from './api-error.ts';
import type { KubeClient, KubeObject, Query } from './client.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { type WatchHealth, watchCollection } from './watch.ts';

export type Indexes<Shape> = Readonly<Record<string, (object: Shape) => readonly string[]>>;
export type ChangeListener<Shape> = (before: Shape | undefined, after: Shape | undefined) => void;

export interface CacheOptions<Shape> {
  readonly client: KubeClient;
  /** One path a namespace that is watched, or the one path of the whole cluster. */
  readonly paths: readonly string[];
  readonly query?: Query;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly indexes?: Indexes<Shape>;
  /** Told when a watch fails, and when it is well again. */
  readonly log?: Log;
}

/** A copy of a collection that follows the server. Its objects are read only. */
export class Cache<Shape extends KubeObject> {
  readonly #options: CacheOptions<Shape>;
  readonly #objects = new Map<string, Shape>();
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  readonly #listeners: ChangeListener<Shape>[] = [];
  readonly #health: { readonly healthy: boolean | undefined; readonly since: number }[];
  readonly #pathOf = new Map<string, number>();
  readonly #synced = Promise.withResolvers<void>();
  #unsynced: number;

  constructor(options: CacheOptions<Shape>) {
    this.#options = options;
    this.#unsynced = options.paths.length;
    if (this.#unsynced === 0) this.#synced.resolve();
    // Whoever waits is told; nobody has to.
    this.#synced.promise.catch(() => undefined);
    this.#health = options.paths.map(() => ({ healthy: undefined, since: options.clock.monotonic() }));
  }

  /** Resolves when every path was listed once; rejects when the cache was stopped before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get isSynced(): boolean {
    return this.#unsynced === 0;
  }

  get size(): number {
    return this.#objects.size;
  }

  /**
   * Milliseconds for which one of the watches has failed; 0 when all are well. An API server that answers that it has no
   * such kind is followed well: a kind whose CRD was deleted comes back, or does not, whoever is started anew.
   */
  get staleFor(): number {
    const now = this.#options.clock.monotonic();
    return Math.max(0, ...this.#health.map(({ healthy, since }) => (healthy ? 0 : now - since)));
  }

  get(namespace: string, name: string): Shape | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  list(namespace?: string): readonly Shape[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  byIndex(index: string, key: string): readonly Shape[] {
    const keys = this.#indexes.get(index)?.get(key) ?? [];
    return [...keys].flatMap((each) => this.#objects.get(each) ?? []);
  }

  /** Called after each change, with the object before and after it. It must not throw. */
  onChange(listener: ChangeListener<Shape>): void {
    this.#listeners.push(listener);
  }

  /** Follows the server until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#options.paths.map((path, index) => this.#follow(path, index, signal)));
    } finally {
      this.#synced.reject(signal.reason ?? new Error('The cache ended before it was filled'));
    }
  }

  async #follow(path: string, index: number, signal: AbortSignal): Promise<void> {
    const { client, query, clock, random } = this.#options;
    const options = { ...(query === undefined ? {} : { query }), ...(random === undefined ? {} : { random }) };
    const onHealth = (health: WatchHealth) => this.#noteHealth(path, index, health);
    let first = true;
    for await (const change of watchCollection(client, path, { ...options, signal, clock, onHealth })) {
      if (change.kind === 'synced') this.#replace(index, change.items as readonly Shape[]);
      else if (change.kind === 'deleted') this.#set(index, keyOf(change.object), undefined);
      else this.#set(index, keyOf(change.object), change.object as Shape);
      if (!first) continue;
      first = false;
      this.#unsynced -= 1;
      if (this.#unsynced === 0) this.#synced.resolve();
    }
  }

  #noteHealth(path: string, index: number, { healthy, error }: WatchHealth): void {
    const before = this.#health[index];
    const changed = before?.healthy !== healthy;
    // What has not begun to follow yet is as stale as what has failed.
    const isAnswered = isNotFound(error);
    const since = (before?.healthy ?? false) === healthy && !isAnswered ? before?.since : undefined;
    this.#health[index] = { healthy, since: since ?? this.#options.clock.monotonic() };
    if (!healthy)
      this.#options.log?.[changed ? 'warn' : 'debug']({ path, err: error }, 'A watch failed; it is tried again');
    else if (changed) this.#options.log?.info({ path }, 'A watch follows the API server');
  }

  #replace(path: number, items: readonly Shape[]): void {
    const present = new Set(items.map(keyOf));
    for (const key of [...this.#objects.keys()])
      if (this.#pathOf.get(key) === path && !present.has(key)) this.#set(path, key, undefined);
    for (const item of items) this.#set(path, keyOf(item), item);
  }

  #set(path: number, key: string, after: Shape | undefined): void {
    const before = this.#objects.get(key);
    if (before === undefined && after === undefined) return;
    if (before !== undefined && before.metadata.resourceVersion === after?.metadata.resourceVersion) return;
    this.#reindex(key, before, after);
    if (after === undefined) {
      this.#objects.delete(key);
      this.#pathOf.delete(key);
    } else {
      this.#objects.set(key, after);
      this.#pathOf.set(key, path);
    }
    for (const listener of this.#listeners) listener(before, after);
  }

  #reindex(key: string, before: Shape | undefined, after: Shape | undefined): void {
    for (const [name, keysOf] of Object.entries(this.#options.indexes ?? {})) {
      const index = this.#indexes.get(name) ?? new Map<string, Set<string>>();
      this.#indexes.set(name, index);
      for (const old of before === undefined ? [] : keysOf(before)) {
        index.get(old)?.delete(key);
        if (index.get(old)?.size === 0) index.delete(old);
      }
      for (const value of after === undefined ? [] : keysOf(after))
        index.set(value, (index.get(value) ?? new Set()).add(key));
    }
  }
}

export function keyOf({ metadata: { namespace = '', name } }: KubeObject): string {
  return `${namespace}/${name}`;
}
