import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeClient } from '../../../src/kube/client.ts';
import { clientOf } from '../../../src/kube/request.ts';

/** Collections of a cluster on a real socket, to be listed and watched by real caches, and a count of what is asked. */
export class ListingServer {
  asked = 0;
  readonly #collections: ReadonlyMap<string, readonly object[]>;
  readonly #watches = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    this.asked += 1;
    const url = new URL(request.url ?? '/', 'http://server');
    if (url.pathname.includes('/leases')) {
      // Another leads: a replica that follows is all that is wanted of who asks.
      const spec = { holderIdentity: 'another', leaseDurationSeconds: 3600, renewTime: '2026-11-21T10:00:00.000000Z' };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Lease', metadata: { name: 'it', resourceVersion: '1' }, spec }));
      return;
    }
    const plural = url.pathname.split('/').at(-1) ?? '';
    response.writeHead(200, { 'content-type': 'application/json' });
    if (url.searchParams.get('watch') === 'true') {
      response.flushHeaders();
      this.#watches.add(response);
    } else {
      const items = this.#collections.get(plural) ?? [];
      response.end(JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items }));
    }
  });

  private constructor(collections: Readonly<Record<string, readonly object[]>>) {
    this.#collections = new Map(Object.entries(collections));
  }

  static async start(collections: Readonly<Record<string, readonly object[]>>): Promise<ListingServer> {
    const server = new ListingServer(collections);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  client(): KubeClient {
    return clientOf({ url: this.url, namespace: 'shop', credentials: async () => ({ tls: {}, headers: {} }) });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
