import type { KubeClient } from './client.ts';
import { LeaseLost } from './lease.ts';

/** A client that changes nothing from the moment on at which `leads` says no; it goes on reading. */
export function fenced(client: KubeClient, leads: () => boolean): KubeClient {
  return {
    namespace: client.namespace,
    request: async (method, path, options) => {
      if (method !== 'GET' && !leads())
        throw new LeaseLost(`${method} ${path} was not sent: the lease was not renewed in time, and another may lead`);
      return await client.request(method, path, options);
    },
    watch: (path, query, signal) => client.watch(path, query, signal),
    close: () => client.close(),
  };
}
