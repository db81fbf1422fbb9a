import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from './client.ts';
import { clientOf } from './request.ts';

const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews the token long before it ends; a minute is what client-go waits too. */
const tokenAge = 60_000;

/** A client with the pod's own service account, and without client-node: an agent's memory belongs to the backup. */
export async function clientInCluster(): Promise<KubeClient> {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  const port = process.env.KUBERNETES_SERVICE_PORT ?? '443';
  if (host === undefined) throw new Error('KUBERNETES_SERVICE_HOST is not set: this program runs in a pod of a cluster.');
  const read = async (file: string) => await readFile(join(folder, file), 'utf8');
  let token = { value: '', readAt: Number.NEGATIVE_INFINITY };
  return clientOf({
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: (await read('namespace')).trim(),
    tls: { ca: await read('ca.crt') },
    authorize: async () => {
      if (performance.now() - token.readAt > tokenAge) token = { value: (await read('token')).trim(), readAt: performance.now() };
      return { authorization: `Bearer ${token.value}` };
    },
  });
}
