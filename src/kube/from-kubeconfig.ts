import { KubeConfig } from '@kubernetes/client-node';
import type { KubeClient } from './client.ts';
import { clientInCluster } from './in-cluster.ts';
import { clientOf } from './request.ts';

/**
 * A client for the current context of a kubeconfig: `path`, else $KUBECONFIG, else ~/.kube/config. In a pod, and with no
 * path given, the pod's own service account. client-node reads the file and runs the login programs it may name; its
 * generated classes are not used (docs/architecture.md says why).
 */
export async function clientFromKubeconfig(path?: string): Promise<KubeClient> {
  if (path === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined) return await clientInCluster();
  const config = new KubeConfig();
  if (path === undefined) config.loadFromDefault();
  else config.loadFromFile(path);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`The kubeconfig ${path ?? ''} has no current context: choose one with kubectl config use-context.`);
  const options = await tlsOf(config, cluster.server);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  return clientOf({
    url: cluster.server.replace(/\/$/, ''),
    namespace,
    tls: options,
    authorize: async () => {
      const authorization = await authorizationOf(config, cluster.server);
      return authorization === undefined ? {} : { authorization };
    },
  });
}

interface Loaded {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly rejectUnauthorized?: boolean;
  readonly headers?: Record<string, string>;
}

async function tlsOf(config: KubeConfig, server: string) {
  const { ca, cert, key, rejectUnauthorized } = await load(config, server);
  return {
    ...(ca === undefined ? {} : { ca: String(ca) }),
    ...(cert === undefined ? {} : { cert: String(cert) }),
    ...(key === undefined ? {} : { key: String(key) }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

async function authorizationOf(config: KubeConfig, server: string): Promise<string | undefined> {
  const { headers } = await load(config, server);
  return headers?.Authorization;
}

async function load(config: KubeConfig, server: string): Promise<Loaded> {
  const options: { hostname: string; headers: Record<string, string> } = { hostname: new URL(server).hostname, headers: {} };
  await config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  return options as Loaded;
}
