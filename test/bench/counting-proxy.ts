import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What has gone by: requests by method, and bytes of bodies in both directions. */
export interface Traffic {
  readonly requests: ReadonlyMap<string, number>;
  readonly sent: number;
  readonly received: number;
}

export interface CountingProxy {
  readonly endpoint: string;
  /** Since the last time it was asked. */
  take(): Traffic;
  stop(): Promise<void>;
}

/** Hands every request on to an S3 server as it is, signatures included, and counts. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  let traffic = { requests: new Map<string, number>(), sent: 0, received: 0 };
  const server = createServer((incoming, answer) => {
    const { method = 'GET', url = '/', headers } = incoming;
    traffic.requests.set(method, (traffic.requests.get(method) ?? 0) + 1);
    const outgoing = request({ hostname, port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.on('data', (piece: Buffer) => {
        traffic.received += piece.length;
      });
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.on('data', (piece: Buffer) => {
      traffic.sent += piece.length;
    });
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = traffic;
      traffic = { requests: new Map(), sent: 0, received: 0 };
      return taken;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function describeTraffic({ requests, sent, received }: Traffic): string {
  const methods = [...requests].sort().map(([method, count]) => `${count} ${method}`);
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  return `${methods.join(', ')}; ${megabytes(sent)} sent, ${megabytes(received)} received`;
}
