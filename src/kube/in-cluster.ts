import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecClient, LineClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Credentials, clientOf } from './request.ts';

interface Pod {
  readonly environment?: NodeJS.ProcessEnv;
  /** Where the kubelet lays the service account. */
  readonly folder?: string;
  readonly clock?: Clock;
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews the token long before it ends; a minute is what client-go waits too. */
const freshFor = 60_000;

/** A client with the pod's own service account, and without client-node: an agent's memory belongs to the backup. */
export async function clientInCluster({
  environment = process.env,
  folder = serviceAccount,
  clock = systemClock,
}: Pod = {}): Promise<LineClient & ExecClient> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === undefined)
    throw new Error('KUBERNETES_SERVICE_HOST is not set: run this in a pod, or name a kubeconfig.');
  let credentials = await readCredentials(folder);
  let readAt = clock.monotonic();
  return clientOf({
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: (await readFile(join(folder, 'namespace'), 'utf8')).trim(),
    credentials: async () => {
      if (clock.monotonic() - readAt > freshFor) {
        // The files are exchanged under us now and then; what was read a minute ago is still good for a while.
        credentials = await readCredentials(folder).catch(() => credentials);
        readAt = clock.monotonic();
      }
      return credentials;
    },
  });
}

async function readCredentials(folder: string): Promise<Credentials> {
  const [ca, token] = await Promise.all([
    readFile(join(folder, 'ca.crt'), 'utf8'),
    readFile(join(folder, 'token'), 'utf8'),
  ]);
  return { tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
}
