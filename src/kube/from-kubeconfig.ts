import { KubeConfig } from '@kubernetes/client-node';
import type { LineClient } from './client.ts';
import { clientInCluster } from './in-cluster.ts';
import { type Credentials, clientOf } from './request.ts';

/**
 * A client for a context of a kubeconfig, by default its current one: `path`, else $KUBECONFIG, else ~/.kube/config. In a
 * pod, and with neither given, the pod's own service account. client-node reads the file and runs the login programs it may name; its
 * generated classes are not used: they open a connection a call, and know no time-out.
 */
export async function clientFromKubeconfig(path?: string, context?: string): Promise<LineClient> {
  if (path === undefined && context === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined)
    return await clientInCluster();
  const config = new KubeConfig();
  if (path === undefined) config.loadFromDefault();
  else config.loadFromFile(path);
  const file = path ?? process.env.KUBECONFIG ?? '~/.kube/config';
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new Error(
        `The kubeconfig ${file} has no context ${context}: kubectl config get-contexts lists those it has.`,
      );
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new Error(`The kubeconfig ${file} has no current context: choose one with kubectl config use-context.`);
  if (cluster.proxyUrl !== undefined)
    throw new Error(`The kubeconfig ${file} names a proxy-url, which is not supported: reach the API server directly.`);
  return clientOf({
    url: cluster.server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    credentials: () => credentialsOf(config, new URL(cluster.server).hostname),
  });
}

/** What client-node writes into the options of a request. */
interface Written {
  readonly hostname: string;
  readonly headers: Record<string, string>;
  readonly auth?: string;
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

async function credentialsOf(config: KubeConfig, hostname: string): Promise<Credentials> {
  const written: Written = { hostname, headers: {} };
  await config.applyToHTTPSOptions(written as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  const { ca, cert, key, servername, rejectUnauthorized, auth, headers } = written;
  return {
    tls: {
      ...(ca === undefined ? {} : { ca: String(ca) }),
      ...(cert === undefined ? {} : { cert: String(cert) }),
      ...(key === undefined ? {} : { key: String(key) }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    },
    headers: {
      ...(auth === undefined ? {} : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    },
  };
}
