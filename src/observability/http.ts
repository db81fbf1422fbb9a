import { createServer, type ServerResponse } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Registry } from 'prom-client';

interface HttpOptions {
  readonly port: number;
  readonly registry: Registry;
  /** Why this replica is not ready; undefined when it is. A replica that does not lead is ready too. */
  readonly notReady: () => string | undefined;
  /** Why this process must be started anew; undefined when it is well. */
  readonly notAlive: () => string | undefined;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Longer than any reconcile keeps the event loop. */
const longestDelayMilliseconds = 10_000;

/** /metrics, /livez and /readyz on one port. */
export async function serveHttp({ port, registry, notReady, notAlive }: HttpOptions): Promise<HttpServer> {
  const delay = monitorEventLoopDelay({ resolution: 100 });
  delay.enable();
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/metrics') answerMetrics(response, registry);
    else if (path === '/readyz') answer(response, notReady());
    else if (path === '/livez') answer(response, notAlive() ?? slowLoop(delay.max / 1e6, () => delay.reset()));
    else response.writeHead(404).end('not found\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        delay.disable();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, reason: string | undefined): void {
  response.writeHead(reason === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${reason ?? 'ok'}\n`);
}

function answerMetrics(response: ServerResponse, registry: Registry): void {
  registry.metrics().then(
    (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}

function slowLoop(milliseconds: number, reset: () => void): string | undefined {
  reset();
  return milliseconds > longestDelayMilliseconds
    ? `the event loop stood still for ${(milliseconds / 1000).toFixed(1)} s`
    : undefined;
}
