import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { ApiUnreachable, errorOf, ApiError } from './api-error.ts';
import type { KubeClient, Method, Query, RequestOptions, WatchEvent } from './client.ts';
import { readLines } from './read-lines.ts';

/** How to reach one API server. `authorize` is asked anew for every call: a service account's token changes. */
export interface Endpoint {
  readonly url: string;
  readonly namespace: string;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly rejectUnauthorized?: boolean };
  authorize(): Promise<Readonly<Record<string, string>>>;
}

const defaultTimeout = 30_000;
/** Bookmarks come about once a minute; a watch that says nothing for longer than this is a dead connection. */
const watchSilence = 150_000;

/** A client with connections of its own: kept open, shared by every call, closed by `close`. */
export function clientOf(endpoint: Endpoint): KubeClient {
  const agent = new Agent({ connections: 32, keepAliveTimeout: 60_000, connect: { ...endpoint.tls, timeout: 10_000 }, allowH2: false });
  return {
    namespace: endpoint.namespace,
    request: (method, path, options = {}) => requestWithRetries(endpoint, agent, method, path, options),
    watch: (path, query, signal) => watchOnce(endpoint, agent, path, query, signal),
    close: () => agent.destroy(),
  };
}

/**
 * Reads and server-side applies are asked again while the server is overloaded or the connection broke, within the
 * call's own time: both mean the same however often they are said. Nothing else is repeated here.
 */
async function requestWithRetries<Answer>(endpoint: Endpoint, agent: Agent, method: Method, path: string, options: RequestOptions): Promise<Answer> {
  const deadline = AbortSignal.timeout(options.timeout ?? defaultTimeout);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  const repeatable = method === 'GET' || options.contentType === 'application/apply-patch+yaml';
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await requestOnce<Answer>(endpoint, agent, method, path, options, signal);
    } catch (error) {
      const wait = repeatable ? retryDelay(error, attempt) : undefined;
      if (wait === undefined || signal.aborted) throw explain(error, options.signal, `${method} ${path}`);
      await pause(wait, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function requestOnce<Answer>(endpoint: Endpoint, agent: Agent, method: Method, path: string, options: RequestOptions, signal: AbortSignal): Promise<Answer> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const { statusCode, headers, body: answer } = await request(urlOf(endpoint, path, options.query), {
    method,
    dispatcher: agent,
    signal,
    headers: {
      accept: 'application/json',
      'user-agent': 'tidemark',
      ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      ...(await endpoint.authorize()),
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  if (statusCode >= 300) throw errorOf(statusCode, text, single(headers['retry-after']), `${method} ${path}`);
  const kind = single(headers['content-type']) ?? '';
  return (kind.includes('json') ? JSON.parse(text) : text) as Answer;
}

async function* watchOnce(endpoint: Endpoint, agent: Agent, path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const url = urlOf(endpoint, path, { ...query, watch: true });
  const { statusCode, headers, body } = await request(url, {
    method: 'GET',
    dispatcher: agent,
    signal,
    headers: { accept: 'application/json', 'user-agent': 'tidemark', ...(await endpoint.authorize()) },
    headersTimeout: defaultTimeout,
    bodyTimeout: watchSilence,
  }).catch((error: unknown) => {
    throw explain(error, signal, `WATCH ${path}`);
  });
  if (statusCode >= 300) throw errorOf(statusCode, await body.text(), single(headers['retry-after']), `WATCH ${path}`);
  try {
    for await (const line of readLines(body)) yield JSON.parse(line) as WatchEvent;
  } catch (error) {
    throw explain(error, signal, `WATCH ${path}`);
  } finally {
    body.destroy();
  }
}

/** Milliseconds until the next try, or undefined where another try would not help. */
function retryDelay(error: unknown, attempt: number): number | undefined {
  const overloaded = error instanceof ApiError && (error.status === 429 || error.status === 503);
  if (error instanceof ApiError && !overloaded) return undefined;
  if (attempt >= 5) return undefined;
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(asked, 200 * 2 ** attempt);
}

function explain(error: unknown, callers: AbortSignal | undefined, what: string): unknown {
  if (error instanceof ApiError || error instanceof ApiUnreachable) return error;
  if (callers?.aborted) return callers.reason;
  const reason = error instanceof Error ? (error.name === 'TimeoutError' ? 'it did not answer in time' : error.message) : String(error);
  return new ApiUnreachable(`The API server could not be asked (${what}): ${reason}`, error);
}

function urlOf(endpoint: Endpoint, path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const suffix = parameters.toString();
  return `${endpoint.url}${path}${suffix === '' ? '' : `?${suffix}`}`;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
