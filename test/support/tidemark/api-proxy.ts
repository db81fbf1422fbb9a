import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';

/** What a client asked of the API server. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly isWatch: boolean;
}

/** What the client gets instead of the API server's answer. `lost`: its connection breaks. */
export type Fault = { readonly status: number; readonly reason: string; readonly retryAfter?: number } | 'lost';

/** A way to the API server on which everything is seen, and can be held, refused or lost. The client's token goes along. */
export interface ApiProxy {
  readonly url: string;
  /** Before the API server hears of it; a fault is the answer then. */
  before: (asked: Asked) => Promise<Fault | undefined> | Fault | undefined;
  /** When the API server has done it, and the client does not know yet. Not asked for watches. */
  after: (asked: Asked, status: number) => Promise<Fault | undefined> | Fault | undefined;
  /** Ends all watches at once; gives how many there were. */
  cutWatches(): number;
  stop(): Promise<void>;
}

export async function startApiProxy(kubeconfig: string): Promise<ApiProxy> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`The kubeconfig ${kubeconfig} has no current context.`);
  const agent = new Agent({ keepAlive: true, ca: Buffer.from(cluster.caData ?? '', 'base64') });
  const watches = new Set<ServerResponse>();
  const server = createServer((incoming, response) => void serve(incoming, response));

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const url = new URL(incoming.url ?? '/', cluster.server);
    const asked = {
      method: incoming.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      body: (await buffer(incoming).catch(() => Buffer.alloc(0))).toString(),
      isWatch: url.searchParams.get('watch') === 'true',
    };
    try {
      const refused = await proxy.before(asked);
      if (refused !== undefined) answer(response, refused);
      else await forward(asked, url, incoming, response);
    } catch {
      response.destroy();
    }
  };

  const forward = async (asked: Asked, url: URL, incoming: IncomingMessage, response: ServerResponse) => {
    const { host: _, connection: __, 'transfer-encoding': ___, ...headers } = incoming.headers;
    const answered = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(url, { method: asked.method, agent, headers }, resolve);
      outgoing.on('error', reject);
      if (asked.isWatch) response.on('close', () => outgoing.destroy());
      outgoing.end(asked.body === '' ? undefined : asked.body);
    });
    const { statusCode = 502 } = answered;
    if (asked.isWatch) {
      watches.add(response);
      response.on('close', () => watches.delete(response));
      response.writeHead(statusCode, plain(answered));
      response.flushHeaders();
      answered.on('error', () => response.destroy());
      answered.pipe(response);
      return;
    }
    const body = await buffer(answered);
    const fault = await proxy.after(asked, statusCode);
    if (fault === undefined) response.writeHead(statusCode, plain(answered)).end(body);
    else answer(response, fault);
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ApiProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    before: () => undefined,
    after: () => undefined,
    cutWatches: () => {
      const open = [...watches];
      for (const watch of open) watch.destroy();
      return open.length;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
  return proxy;
}

/** Without what is of one connection only, and is written anew. */
function plain({ headers }: IncomingMessage): Record<string, string> {
  const { 'content-type': type, 'retry-after': retryAfter } = headers;
  return {
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  };
}

function answer(response: ServerResponse, fault: Fault): void {
  if (fault === 'lost') {
    response.destroy();
    return;
  }
  const { status: code, reason, retryAfter } = fault;
  const body = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code, reason, message: reason };
  const wait = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  response.writeHead(code, { 'content-type': 'application/json', ...wait }).end(JSON.stringify(body));
}

/** A change of the cluster: neither a read nor a rehearsal, nor the word of who leads, nor an Event. */
export function isChange({ method, path, query }: Asked): boolean {
  return method !== 'GET' && !query.has('dryRun') && !/\/(leases|events)(\/|$)/.test(path);
}
