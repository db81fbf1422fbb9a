import { ApiUnreachable, errorOfStatus, isGone } from './api-error.ts';
import type { KubeClient, KubeObject, Query } from './client.ts';
import type { Clock } from './clock.ts';

export type WatchChange =
  | { readonly kind: 'synced'; readonly items: readonly KubeObject[] }
  | { readonly kind: 'changed'; readonly object: KubeObject }
  | { readonly kind: 'deleted'; readonly object: KubeObject };

export interface WatchOptions {
  readonly query?: Query;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** 0 to 1; spreads retries and watch time-outs. */
  readonly random?: () => number;
  /** Called with each sign of life, and with each failure. */
  readonly onHealth?: (state: WatchHealth) => void;
}

export interface WatchHealth {
  readonly healthy: boolean;
  readonly error?: unknown;
}

const pageSize = 500;
const firstBackoff = 500;
const longestBackoff = 30_000;
/** Watches in a row that end at once with nothing said, before the resourceVersion is suspected (kubernetes#137089). */
const suspiciousEnds = 5;
/**
 * A watch that was open for longer than this without so much as a bookmark is on a resourceVersion that the server does
 * not have: after a restore of etcd it waits, without a word, until the versions have caught up.
 */
const suspiciousSilence = 70_000;
/** Failures in a row, other than of the network, before everything is listed anew. */
const suspiciousFailures = 3;

/**
 * List, then watch, until the signal aborts; nothing else ends it. `synced` carries everything there is, at the start and
 * whenever the server cannot tell the changes since (410): who keeps a copy replaces it, and so learns of deletions too.
 */
export async function* watchCollection(
  client: KubeClient,
  path: string,
  options: WatchOptions,
): AsyncGenerator<WatchChange> {
  const { signal, clock, random = Math.random, onHealth = () => undefined } = options;
  const state = new Progress(clock);
  while (!signal.aborted) {
    try {
      if (state.version === undefined) {
        const { items, version } = await listAll(client, path, options.query, signal);
        state.listed(version);
        onHealth({ healthy: true });
        yield { kind: 'synced', items };
      }
      state.opened();
      for await (const { version, change } of watchFrom(client, path, state.version ?? '', { ...options, random })) {
        state.heard(version);
        onHealth({ healthy: true });
        if (change !== undefined) yield change;
      }
      state.ended();
    } catch (error) {
      if (signal.aborted) return;
      if (!isGone(error)) onHealth({ healthy: false, error });
      state.failed(error);
    }
    if (state.troubles > 0) await clock.sleep(backoff(state.troubles, random), signal).catch(() => undefined);
  }
}

/** How far the watch has come, and whether what it stands on can be trusted. */
class Progress {
  readonly #clock: Clock;
  /** undefined: list. */
  version: string | undefined;
  /** Ends and failures in a row; each waits longer. */
  troubles = 0;
  #openedAt = 0;
  #heardSince = false;
  #relistsInRow = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listed(version: string): void {
    this.version = version;
  }

  opened(): void {
    this.#openedAt = this.#clock.monotonic();
    this.#heardSince = false;
  }

  heard(version: string): void {
    this.version = version;
    this.troubles = 0;
    this.#relistsInRow = 0;
    this.#heardSince = true;
  }

  ended(): void {
    this.#suspectSilence();
    if (this.#heardSince || this.#openFor() >= 1000) {
      this.troubles = 0;
      return;
    }
    this.troubles += 1;
    if (this.troubles >= suspiciousEnds) this.version = undefined;
  }

  failed(error: unknown): void {
    if (isGone(error)) {
      this.version = undefined;
      this.#relistsInRow += 1;
      // One 410 is a matter of course, and answered at once; a server that says nothing else is not to be hammered.
      if (this.#relistsInRow > 1) this.troubles += 1;
      return;
    }
    this.#suspectSilence();
    this.troubles += 1;
    if (this.troubles >= suspiciousFailures && !(error instanceof ApiUnreachable)) this.version = undefined;
  }

  #suspectSilence(): void {
    if (!this.#heardSince && this.#openFor() >= suspiciousSilence) this.version = undefined;
  }

  #openFor(): number {
    return this.#clock.monotonic() - this.#openedAt;
  }
}

function backoff(troubles: number, random: () => number): number {
  const ceiling = Math.min(longestBackoff, firstBackoff * 2 ** Math.min(troubles - 1, 10));
  return ceiling / 2 + (ceiling / 2) * random();
}

interface ListAnswer {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[] | null;
}

async function listAll(client: KubeClient, path: string, query: Query | undefined, signal: AbortSignal) {
  const items: KubeObject[] = [];
  let next: string | undefined;
  for (;;) {
    const page: ListAnswer = await client.request('GET', path, {
      query: { ...query, limit: pageSize, continue: next },
      signal,
    });
    // Items of a list carry neither kind nor apiVersion; objects of a watch do.
    const kind = page.kind.replace(/List$/, '');
    for (const item of page.items ?? []) items.push(withoutManagers({ apiVersion: page.apiVersion, kind, ...item }));
    next = page.metadata.continue;
    if (next === undefined || next === '') return { items, version: page.metadata.resourceVersion };
  }
}

async function* watchFrom(
  client: KubeClient,
  path: string,
  resourceVersion: string,
  { query, signal, random }: WatchOptions & { readonly random: () => number },
): AsyncGenerator<{ readonly version: string; readonly change?: WatchChange }> {
  const timeoutSeconds = Math.round(300 + 300 * random());
  const events = client.watch(path, { ...query, resourceVersion, allowWatchBookmarks: true, timeoutSeconds }, signal);
  for await (const { type, object } of events) {
    if (type === 'ERROR') throw errorOfStatus(object, `WATCH ${path}`);
    const version = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') yield { version };
    else
      yield { version, change: { kind: type === 'DELETED' ? 'deleted' : 'changed', object: withoutManagers(object) } };
  }
}

/** Who has set which field is as long as the rest of an object, and is asked for by nobody who keeps a copy. */
function withoutManagers(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
