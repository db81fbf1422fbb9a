import {
  createServer,
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from 'node:http';
import { errorBody } from './faulty-server.ts';

/** A request that has arrived, before its body is read. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly kind: S3Kind;
  /** How many of the same kind came before. */
  readonly nth: number;
  /** How many came before. */
  readonly index: number;
}

export type S3Kind =
  | 'begin'
  | 'part'
  | 'complete'
  | 'abort'
  | 'delete-many'
  | 'list-uploads'
  | 'list'
  | 'head'
  | 'get'
  | 'put'
  | 'delete'
  | 'other';

/** What becomes of a request. */
export type Fate =
  | 'forward'
  /** Answered here; the server never hears of it. */
  | { readonly answer: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection is reset before the server hears of it. */
  | { readonly fault: 'reset' }
  /** The connection is reset when so much of the request's body has come. */
  | { readonly fault: 'reset-request'; readonly after: number }
  /** The server does it, `meanwhile` is awaited, and the answer is lost. */
  | { readonly fault: 'lose'; readonly meanwhile?: () => Promise<void> }
  /** Nothing is answered, and the connection stays. */
  | { readonly fault: 'stall' }
  /** The header comes and so many bytes, then the connection breaks, or says nothing more. */
  | { readonly fault: 'cut' | 'stall-answer'; readonly after: number }
  /** The answer ends early, and its Content-Length says the same. */
  | { readonly fault: 'shorten'; readonly by: number }
  /** The same, and a Content-Range is gone: nothing in the answer is inconsistent. */
  | { readonly fault: 'shorten-and-lie'; readonly by: number }
  /** One bit changes on its way there, or back. */
  | { readonly fault: 'flip-request' | 'flip-answer'; readonly at: number }
  /** What a request for the same got that was answered before. */
  | { readonly fault: 'replay' };

export type Script = (asked: Asked) => Fate | Promise<Fate>;

export interface ScriptedProxy {
  readonly endpoint: string;
  /** In the order in which they came. */
  readonly seen: readonly Asked[];
  /** Changed at any time; what has arrived keeps its fate. */
  script: Script;
  readonly stop: () => Promise<void>;
}

interface Whole {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** In front of a real S3 server: does what a script says with every request, and passes on what it says nothing of. */
export async function startScriptedProxy(target: string, script: Script = () => 'forward'): Promise<ScriptedProxy> {
  const agent = new HttpAgent({ keepAlive: true });
  const seen: Asked[] = [];
  const earlier = new Map<string, Whole>();
  const server = createServer((incoming, response) => {
    const asked = describe(incoming, seen);
    seen.push(asked);
    void (async () => {
      const fate = await proxy.script(asked);
      await carryOut({ fate, incoming, response, target, agent, earlier });
    })().catch(() => response.socket?.destroy());
  });
  // A stalled connection lives as long as its client wants.
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const proxy: ScriptedProxy = {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    script,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
  return proxy;
}

/** An answer with an S3 error. */
export function refusal(answer: number, code: string): Fate {
  return { answer, body: errorBody(code), headers: { 'content-type': 'application/xml' } };
}

function describe({ method = '', url = '/', headers }: IncomingMessage, seen: readonly Asked[]): Asked {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const kind = kindOf(method, searchParams);
  return {
    method,
    path: decodeURIComponent(pathname),
    query: searchParams,
    headers,
    kind,
    nth: seen.filter((one) => one.kind === kind).length,
    index: seen.length,
  };
}

function kindOf(method: string, query: URLSearchParams): S3Kind {
  if (method === 'POST') {
    if (query.has('uploads')) return 'begin';
    if (query.has('uploadId')) return 'complete';
    return query.has('delete') ? 'delete-many' : 'other';
  }
  if (method === 'PUT') return query.has('partNumber') ? 'part' : 'put';
  if (method === 'DELETE') return query.has('uploadId') ? 'abort' : 'delete';
  if (method === 'HEAD') return 'head';
  if (query.has('uploads')) return 'list-uploads';
  return query.has('list-type') ? 'list' : 'get';
}

interface Work {
  readonly fate: Fate;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: string;
  readonly agent: HttpAgent;
  readonly earlier: Map<string, Whole>;
}

async function carryOut(work: Work): Promise<void> {
  const { fate, incoming, response, earlier } = work;
  if (fate !== 'forward' && 'fault' in fate) {
    if (fate.fault === 'stall') return void incoming.resume();
    if (fate.fault === 'reset') return void response.socket?.resetAndDestroy();
    if (fate.fault === 'reset-request') return resetWithin(incoming, fate.after);
  }
  const body = await readAll(incoming);
  if (fate !== 'forward' && 'answer' in fate) {
    const text = incoming.method === 'HEAD' ? '' : (fate.body ?? '');
    response.writeHead(fate.answer, { ...fate.headers, 'content-length': Buffer.byteLength(text) }).end(text);
    return;
  }
  const key = `${incoming.method} ${incoming.url}`;
  const before = earlier.get(key);
  const flipped = fate !== 'forward' && fate.fault === 'flip-request' ? flip(body, fate.at) : body;
  const whole =
    fate !== 'forward' && fate.fault === 'replay' && before !== undefined ? before : await forward(work, flipped);
  if (incoming.method === 'GET' && incoming.url?.includes('list-type') === true) earlier.set(key, whole);
  await reply(work, whole);
}

async function reply({ fate, response, incoming }: Work, { status, headers, body }: Whole): Promise<void> {
  if (fate === 'forward' || 'answer' in fate) return void response.writeHead(status, headers).end(body);
  switch (fate.fault) {
    case 'lose':
      await fate.meanwhile?.();
      response.socket?.resetAndDestroy();
      return;
    case 'cut':
      response.writeHead(status, headers);
      response.write(body.subarray(0, fate.after), () => response.socket?.destroy());
      return;
    case 'stall-answer':
      response.writeHead(status, headers);
      response.write(body.subarray(0, fate.after));
      return;
    case 'shorten':
    case 'shorten-and-lie': {
      const short = body.subarray(0, Math.max(0, body.length - fate.by));
      const said: IncomingHttpHeaders = { ...headers, 'content-length': String(short.length) };
      if (fate.fault === 'shorten-and-lie') delete said['content-range'];
      response.writeHead(fate.fault === 'shorten' ? status : 200, said).end(short);
      return;
    }
    case 'flip-answer':
      response.writeHead(status, headers).end(incoming.method === 'HEAD' ? body : flip(body, fate.at));
      return;
    default:
      response.writeHead(status, headers).end(body);
  }
}

function forward({ incoming, target, agent }: Work, body: Buffer): Promise<Whole> {
  const { hostname, port } = new URL(target);
  const { method, url, headers } = incoming;
  return new Promise((resolve, reject) => {
    // The Host header is signed, so it goes on as it came.
    const outgoing = send({ hostname, port, method, path: url, headers, agent }, (answer) => {
      readAll(answer).then(
        (whole) => resolve({ status: answer.statusCode ?? 500, headers: unframed(answer.headers), body: whole }),
        reject,
      );
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** It is sent on in one piece. */
function unframed(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'transfer-encoding': _, connection: __, ...others } = headers;
  return others;
}

async function resetWithin(incoming: IncomingMessage, after: number): Promise<void> {
  let came = 0;
  for await (const chunk of incoming) {
    came += chunk.length;
    if (came >= after) break;
  }
  incoming.socket.resetAndDestroy();
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** One bit, where `at` is a part of the whole: 0 the first byte, 1 the last. */
export function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const place = Math.min(copy.length - 1, Math.floor(at * copy.length));
  if (place >= 0) copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}
