import { ApiError, isGone } from './api-error.ts';
import type { KubeClient, KubeObject, Query } from './client.ts';
import type { Clock } from './clock.ts';

export type WatchChange =
  | { readonly kind: 'synced'; readonly items: readonly KubeObject[] }
  | { readonly kind: 'changed'; readonly object: KubeObject }
  | { readonly kind: 'deleted'; readonly object: KubeObject };

interface WatchOptions {
  readonly query?: Query;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** 0 to 1; spreads retries and watch time-outs. */
  readonly random?: () => number;
  /** Called with each sign of life, and with each failure. */
  readonly onHealth?: (state: { readonly healthy: boolean; readonly error?: unknown }) => void;
}

const pageSize = 500;
const firstBackoff = 500;
const longestBackoff = 30_000;
/** Watches that end at once, in a row, before the resourceVersion is suspected (kubernetes#137089). */
const suspiciousEnds = 5;

/**
 * List, then watch, until the signal aborts; nothing else ends it. `synced` carries everything there is, at the start and
 * whenever the server cannot tell the changes since (410): who keeps a copy replaces it, and so learns of deletions too.
 */
export async function* watchCollection(client: KubeClient, path: string, options: WatchOptions): AsyncGenerator<WatchChange> {
  const { signal, clock, random = Math.random, onHealth = () => undefined } = options;
  let version: string | undefined;
  let failures = 0;
  let instantEnds = 0;
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        const listed = await listAll(client, path, options.query, signal);
        version = listed.version;
        onHealth({ healthy: true });
        yield { kind: 'synced', items: listed.items };
      }
      const begun = clock.monotonic();
      for await (const change of watchFrom(client, path, version, { ...options, random })) {
        failures = 0;
        version = change.version;
        onHealth({ healthy: true });
        if (change.change !== undefined) yield change.change;
      }
      failures = 0;
      instantEnds = clock.monotonic() - begun < 1000 ? instantEnds + 1 : 0;
      if (instantEnds >= suspiciousEnds) version = undefined;
      if (instantEnds > 0) await clock.sleep(firstBackoff * random(), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isGone(error)) {
        version = undefined;
        failures += 1;
        if (failures === 1) continue;
      } else {
        onHealth({ healthy: false, error });
        failures += 1;
      }
      await clock.sleep(backoff(failures, random), signal).catch(() => undefined);
    }
  }
}

function backoff(failures: number, random: () => number): number {
  const ceiling = Math.min(longestBackoff, firstBackoff * 2 ** Math.min(failures, 10));
  return ceiling / 2 + (ceiling / 2) * random();
}

interface ListAnswer {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[];
}

async function listAll(client: KubeClient, path: string, query: Query | undefined, signal: AbortSignal) {
  const items: KubeObject[] = [];
  let next: string | undefined;
  for (;;) {
    const page: ListAnswer = await client.request('GET', path, { query: { ...query, limit: pageSize, continue: next }, signal });
    // Items of a list carry neither kind nor apiVersion; objects of a watch do.
    const kind = page.kind.replace(/List$/, '');
    for (const item of page.items) items.push({ apiVersion: page.apiVersion, kind, ...item });
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
    if (type === 'ERROR') throw statusError(object);
    const version = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') yield { version };
    else yield { version, change: { kind: type === 'DELETED' ? 'deleted' : 'changed', object } };
  }
}

function statusError(status: KubeObject): ApiError {
  const { code, reason, message } = status as unknown as { code?: number; reason?: string; message?: string };
  return new ApiError(code ?? 500, reason ?? 'Unknown', message ?? 'the watch ended with an error');
}
