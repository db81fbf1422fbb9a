import { errors, request } from 'undici';
import { ApiError, ApiUnreachable, errorOf } from './api-error.ts';
import type { ExecClient, LineClient, Method, Query, RequestOptions, WatchEvent } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { Connections, type Tls } from './connections.ts';
import { type ExecEnd, ExecLost, type ExecRequest, exec, execPath } from './exec.ts';
import { readLines } from './read-lines.ts';
import { askAgain } from './retry.ts';

/** How to reach one API server. `credentials` is asked anew for every call: tokens and certificates change. */
export interface Endpoint {
  readonly url: string;
  readonly namespace: string;
  credentials(): Promise<Credentials>;
  /** Milliseconds without a word after which a watch is ended, since its connection may be dead; default 150,000. */
  readonly watchSilence?: number;
}

export interface Credentials {
  readonly tls: Tls;
  readonly headers: Readonly<Record<string, string>>;
}

const defaultTimeout = 30_000;
/** Bookmarks come about once a minute. */
const defaultWatchSilence = 150_000;

/** A client with connections of its own: kept open, shared by every call, closed by `close`. */
export function clientOf(endpoint: Endpoint, clock: Clock = systemClock): LineClient & ExecClient {
  const connections = new Connections();
  return {
    namespace: endpoint.namespace,
    request: (method, path, options = {}) => call(endpoint, connections, { method, path, options, clock }),
    watch: (path, query, signal) => watchOnce(endpoint, connections, { path, query, signal }),
    lines: (path, query, signal) => streamLines(endpoint, connections, { path, query, signal }, `GET ${path}`, 0),
    exec: (request, signal) => execOnce(endpoint, connections, { request, signal, clock }),
    close: () => connections.close(),
  };
}

interface Call {
  readonly method: Method;
  readonly path: string;
  readonly options: RequestOptions;
  readonly clock: Clock;
}

/** Reads and server-side applies mean the same however often they are said. */
async function call<Answer>(endpoint: Endpoint, connections: Connections, asked: Call): Promise<Answer> {
  const { method, path, options, clock } = asked;
  const timeout = options.timeout ?? defaultTimeout;
  const endsAt = clock.monotonic() + timeout;
  const deadline = AbortSignal.timeout(timeout);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  const once = () => requestOnce<Answer>(endpoint, connections, asked, signal);
  const repeatable = method === 'GET' || options.contentType === 'application/apply-patch+yaml';
  try {
    return await askAgain(once, { clock, endsAt, signal, repeatable });
  } catch (error) {
    throw explain(error, options.signal, `${method} ${path}`);
  }
}

async function requestOnce<Answer>(
  endpoint: Endpoint,
  connections: Connections,
  { method, path, options }: Call,
  signal: AbortSignal,
): Promise<Answer> {
  const { tls, headers: authorization } = await unlessAborted(endpoint.credentials(), signal);
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const {
    statusCode,
    headers,
    body: answer,
  } = await request(urlOf(endpoint, path, options.query), {
    method,
    dispatcher: connections.of(tls).calls,
    signal,
    headers: {
      ...commonHeaders,
      ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      ...authorization,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  const what = `${method} ${path}`;
  if (statusCode >= 300) throw errorOf({ status: statusCode, body: text, retryAfter: retryAfter(headers), what });
  return (String(headers['content-type']).includes('json') ? JSON.parse(text) : text) as Answer;
}

interface Watch {
  readonly path: string;
  readonly query: Query;
  readonly signal: AbortSignal;
}

/**
 * Ends without an error where nothing was heard for long: of a kind that nobody has touched since the API server began, not
 * even a bookmark comes. Whether the server is there, the next call shows.
 */
async function* watchOnce(
  endpoint: Endpoint,
  connections: Connections,
  { path, query, signal }: Watch,
): AsyncGenerator<WatchEvent> {
  const asked = { path, query: { ...query, watch: true }, signal };
  const silence = endpoint.watchSilence ?? defaultWatchSilence;
  const what = `WATCH ${path}`;
  try {
    for await (const line of streamLines(endpoint, connections, asked, what, silence))
      yield JSON.parse(line) as WatchEvent;
  } catch (error) {
    throw explain(error, signal, what);
  }
}

/** `silence`: milliseconds without a word after which the connection is taken for dead; 0: it may be silent for ever. */
async function* streamLines(
  endpoint: Endpoint,
  connections: Connections,
  { path, query, signal }: Watch,
  what: string,
  silence: number,
): AsyncGenerator<string> {
  try {
    const { tls, headers: authorization } = await unlessAborted(endpoint.credentials(), signal);
    const { statusCode, headers, body } = await request(urlOf(endpoint, path, query), {
      method: 'GET',
      dispatcher: connections.of(tls).watches,
      signal,
      headers: { ...commonHeaders, ...authorization },
      headersTimeout: defaultTimeout,
      bodyTimeout: silence,
    });
    if (statusCode >= 300)
      throw errorOf({ status: statusCode, body: await body.text(), retryAfter: retryAfter(headers), what });
    yield* readLines(body);
  } catch (error) {
    if (error instanceof errors.BodyTimeoutError) return;
    throw explain(error, signal, what);
  }
}

interface Exec {
  readonly request: ExecRequest;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Never asked again: the command may have been begun. */
async function execOnce(
  endpoint: Endpoint,
  connections: Connections,
  { request: asked, signal, clock }: Exec,
): Promise<ExecEnd> {
  const { tls, headers: authorization } = await unlessAborted(endpoint.credentials(), signal);
  const dispatcher = connections.of(tls).watches;
  const headers = { 'user-agent': commonHeaders['user-agent'], ...authorization };
  try {
    return await exec({ url: endpoint.url, headers, dispatcher }, asked, signal);
  } catch (error) {
    if (!(error instanceof ExecLost) || error.opened) throw error;
    // A WebSocket does not say why it was not opened: the same question without one does, and runs nothing.
    const path = execPath(asked);
    const options = { signal, timeout: 10_000 };
    const why = await call(endpoint, connections, { method: 'GET', path, options, clock }).catch((cause) => cause);
    if (!(why instanceof ApiError) || why.status === 400) throw error;
    // The path has the whole command in it, and a command may hold what is secret.
    const words = why.message.replaceAll(path, path.slice(0, path.indexOf('?')));
    throw new ApiError(why.status, why.reason, words, why.retryAfterSeconds, why.details);
  }
}

const commonHeaders = { accept: 'application/json', 'user-agent': 'tidemark' };

/** What a login program or a file system does not end by itself ends here. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
}

function explain(error: unknown, callers: AbortSignal | undefined, what: string): unknown {
  if (error instanceof ApiError || error instanceof ApiUnreachable) return error;
  if (callers?.aborted) return callers.reason;
  return new ApiUnreachable(`The API server could not be asked (${what}): ${reasonOf(error)}`, error);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  // Several addresses were tried: undici says nothing itself, each of its causes does.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}

function urlOf(endpoint: Endpoint, path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const suffix = parameters.toString();
  return `${endpoint.url}${path}${suffix === '' ? '' : `?${suffix}`}`;
}

function retryAfter(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const header = headers['retry-after'];
  return Array.isArray(header) ? header[0] : header;
}
