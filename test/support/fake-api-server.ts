import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { KubeClient, KubeObject } from '../../src/kube/client.ts';
import type { Clock } from '../../src/kube/clock.ts';
import { clientOf } from '../../src/kube/request.ts';

/** What happens to one request instead of its answer. */
export type Fault =
  | { readonly status: number; readonly body?: string; readonly retryAfter?: number }
  | 'reset'
  | 'hang'
  | 'truncate'
  | 'close';

/** How watches that run are made to end. `freeze`: the connection stays, and nothing is said on it any more. */
export type WatchEnd = 'clean' | 'reset' | 'gone' | 'error' | 'garbage' | 'half-line' | 'freeze';

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

type Answer = { readonly status: number; readonly body: unknown };
type Change = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject };

const apiVersion = 'tidemark.dev/v1alpha1';
const kind = 'BackupRun';

/**
 * One collection (BackupRuns) as a real API server would list, page and watch it, on a real socket, with faults on demand.
 * It knows no admission and no other verbs: for those `answer` is asked.
 */
export class FakeApiServer {
  readonly path = '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns';
  readonly asked: Asked[] = [];
  connections = 0;
  /** 410 as the answer's status, or as an event of a watch: API servers do both. */
  goneInBand = true;
  /** Answers what is neither list nor watch. */
  answer: (asked: Asked) => Answer = () => ({ status: 404, body: status(404, 'NotFound', 'there is nothing here') });
  #version = 100;
  #oldest = 100;
  #objects = new Map<string, KubeObject>();
  #history: Change[] = [];
  #pages = new Map<string, readonly KubeObject[]>();
  readonly #faults: Fault[] = [];
  readonly #watches = new Set<ServerResponse>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', () => {
      this.connections += 1;
    });
  }

  static async start(): Promise<FakeApiServer> {
    const server = new FakeApiServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  client(clock?: Clock, watchSilence = 150_000): KubeClient {
    const credentials = async () => ({ tls: {}, headers: { authorization: 'Bearer token' } });
    return clientOf({ url: this.url, namespace: 'shop', credentials, watchSilence }, clock);
  }

  /** The next requests fail, each as said, in this order. */
  fail(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  heal(): void {
    this.#faults.length = 0;
  }

  objects(): readonly KubeObject[] {
    return [...this.#objects.values()];
  }

  set(name: string, value: unknown, more: object = {}): void {
    const before = this.#objects.get(name);
    const uid = before?.metadata.uid ?? crypto.randomUUID();
    const metadata = { name, namespace: 'shop', uid, resourceVersion: String(++this.#version), ...more };
    const object = { apiVersion, kind, metadata, spec: { value } };
    this.#objects.set(name, object);
    this.#publish({ type: before === undefined ? 'ADDED' : 'MODIFIED', object });
  }

  delete(name: string): void {
    const before = this.#objects.get(name);
    if (before === undefined) return;
    this.#objects.delete(name);
    const metadata = { ...before.metadata, resourceVersion: String(++this.#version) };
    this.#publish({ type: 'DELETED', object: { ...before, metadata } });
  }

  /** Forgets what was before: versions and pages from then are answered 410. */
  compact(): void {
    this.#oldest = this.#version;
    this.#history = [];
    this.#pages.clear();
  }

  /** As if etcd were restored from an old backup: the versions go back, and everyone has to connect anew. */
  goBackTo(names: readonly string[]): void {
    this.endWatches('reset');
    this.#version = 10;
    this.#oldest = 10;
    this.#history = [];
    this.#objects = new Map([...this.#objects].filter(([name]) => names.includes(name)));
  }

  bookmark(): void {
    const metadata = { resourceVersion: String(this.#version) };
    for (const watch of this.#watches) send(watch, { type: 'BOOKMARK', object: { apiVersion, kind, metadata } });
  }

  endWatches(how: WatchEnd): void {
    for (const watch of this.#watches) {
      this.#watches.delete(watch);
      if (how === 'freeze') continue;
      if (how === 'gone') send(watch, { type: 'ERROR', object: status(410, 'Expired', 'too old resource version') });
      if (how === 'error') send(watch, { type: 'ERROR', object: status(500, 'InternalError', 'no more') });
      if (how === 'garbage') watch.write('{"type":"ADDED","object":nonsense}\n');
      if (how === 'half-line') watch.write('{"type":"ADDED","obj', () => watch.destroy());
      else if (how === 'reset') watch.destroy();
      else watch.end();
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #publish(change: Change): void {
    this.#history.push(change);
    for (const watch of this.#watches) send(watch, change);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const body = await text(request).catch(() => '');
    const asked = { method: request.method ?? '', url, headers: request.headers, body: body && JSON.parse(body) };
    this.asked.push(asked);
    const fault = this.#faults.shift();
    if (fault !== undefined) misbehave(fault, response);
    else if (asked.method !== 'GET' || url.pathname !== this.path) reply(response, this.answer(asked));
    else if (url.searchParams.get('watch') === 'true') this.#watch(url.searchParams, response);
    else reply(response, this.#list(url.searchParams));
  }

  #list(query: URLSearchParams): Answer {
    const token = query.get('continue');
    const items = token === null ? this.objects() : this.#pages.get(token);
    const version = token?.split('-')[0] ?? String(this.#version);
    if (items === undefined) return { status: 410, body: status(410, 'Expired', 'the continue token is too old') };
    const limit = Number(query.get('limit') ?? items.length);
    const rest = items.slice(limit);
    const next = rest.length === 0 ? undefined : `${version}-${rest[0]?.metadata.name}`;
    if (next !== undefined) this.#pages.set(next, rest);
    const bare = items.slice(0, limit).map(({ apiVersion: _, kind: __, ...item }) => item);
    const metadata = { resourceVersion: version, ...(next === undefined ? {} : { continue: next }) };
    return { status: 200, body: { apiVersion, kind: `${kind}List`, metadata, items: bare } };
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    const gone = status(410, 'Expired', `too old resource version: ${from} (${this.#oldest})`);
    if (from < this.#oldest && !this.goneInBand) {
      reply(response, { status: 410, body: gone });
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#oldest) {
      send(response, { type: 'ERROR', object: gone });
      response.end();
      return;
    }
    for (const change of this.#history)
      if (Number(change.object.metadata.resourceVersion) > from) send(response, change);
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
  }
}

export function status(code: number, reason: string, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code, reason, message };
}

function send(watch: ServerResponse, event: object): void {
  watch.write(`${JSON.stringify(event)}\n`);
}

function reply(response: ServerResponse, { status: code, body }: Answer): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function misbehave(fault: Fault, response: ServerResponse): void {
  if (fault === 'hang') return;
  if (fault === 'reset') {
    response.destroy();
  } else if (fault === 'truncate') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
    response.write('{"kind":"Ba', () => response.destroy());
  } else if (fault === 'close') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end();
  } else {
    const { status: code, body = JSON.stringify(status(code, 'Faulty', 'as the test asked for')), retryAfter } = fault;
    response.writeHead(code, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
    response.end(body);
  }
}
