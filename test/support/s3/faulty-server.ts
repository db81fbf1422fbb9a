import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

/** What a request was, with its body read whole. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** An answer, or a fault of the connection. */
export type Answer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Buffer }
  | { readonly fault: 'reset' | 'silence' }
  /** The header promises the whole body; the connection breaks after some bytes of it. */
  | {
      readonly fault: 'cut';
      /** Default: 200. */
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: Buffer;
      readonly after: number;
    };

export interface FaultyServer {
  readonly endpoint: string;
  readonly seen: readonly SeenRequest[];
  readonly stop: () => Promise<void>;
}

/** PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An S3 server that does what a script says: `script` is asked for every request, with how many came before. */
export async function startFaultyServer(
  script: (request: SeenRequest, index: number) => Answer,
  certificate?: Certificate,
  host = '127.0.0.1',
): Promise<FaultyServer> {
  const seen: SeenRequest[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    void readBody(request).then((body) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const { method = '', headers } = request;
      const one = { method, path: url.pathname, query: url.searchParams, headers, body };
      seen.push(one);
      reply(response, script(one, seen.length - 1));
    });
  };
  const server = certificate === undefined ? createServer(answer) : createTlsServer(certificate, answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const scheme = certificate === undefined ? 'http' : 'https';
  return { endpoint: `${scheme}://${host}:${port}`, seen, stop: () => stop(server) };
}

/** The XML of an S3 error. */
export function errorBody(code: string, message = 'scripted'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function reply(response: ServerResponse, answer: Answer): void {
  if (!('fault' in answer)) {
    response.writeHead(answer.status, answer.headers).end(answer.body ?? '');
    return;
  }
  if (answer.fault === 'reset') response.socket?.resetAndDestroy();
  if (answer.fault !== 'cut') return;
  response.writeHead(answer.status ?? 200, { 'content-length': String(answer.body.length), ...answer.headers });
  response.write(answer.body.subarray(0, answer.after), () => response.socket?.destroy());
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    // The client went away in the middle: what came is what was seen.
  }
  return Buffer.concat(chunks);
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
