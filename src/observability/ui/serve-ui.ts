import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { HttpServer } from '../http.ts';
import { type Answer, answerOf, failureOf } from './answer.ts';
import type { Seen } from './seen.ts';
import { pageStyle } from './style.ts';

export interface UiOptions {
  readonly port: number;
  /**
   * Loopback: nobody but who may port-forward to the pod comes to it, and that is what protects it. Pod: whoever reaches
   * the pod; something before it must know people.
   */
  readonly listen: 'Loopback' | 'Pod';
  readonly seen: Seen;
  readonly now: () => Date;
  readonly failed: (error: unknown) => void;
}

/** The read-only page, on a port of its own, so that a NetworkPolicy can tell it from the metrics. */
export async function serveUi(options: UiOptions): Promise<HttpServer> {
  const { port, listen } = options;
  const limits = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 };
  const server = createServer(limits, (request, response) => respond(request, response, options));
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (listen === 'Loopback') server.listen(port, '127.0.0.1', resolve);
    else server.listen(port, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function respond(request: IncomingMessage, response: ServerResponse, options: UiOptions): void {
  const { status, headers, body } = answerTo(request, options);
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...securityHeaders, ...headers, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

function answerTo({ method, url = '/', headers }: IncomingMessage, { listen, seen, now, failed }: UiOptions): Answer {
  const plain = { 'content-type': 'text/plain; charset=utf-8' };
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, headers: { ...plain, allow: 'GET, HEAD' }, body: 'this page is read only\n' };
  if (listen === 'Loopback' && !localNames.test(headers.host ?? ''))
    return { status: 421, headers: plain, body: 'open this page at http://localhost:<port>/ui\n' };
  const moment = now();
  try {
    return answerOf(url, seen, moment);
  } catch (error) {
    failed(error);
    return failureOf(seen, moment);
  }
}

/**
 * A web site that makes its own name mean 127.0.0.1 would have the browser of whoever forwards the port read this page
 * for it (DNS rebinding); kubectl proxy accepts these hosts and no others for the same reason.
 */
const localNames = /^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i;

const digest = createHash('sha256').update(pageStyle).digest('base64');

/** No script runs, nothing is fetched, no site may frame it, and no cache keeps it. */
const securityHeaders = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;
