import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { createManager } from '../controllers/manager.ts';
import { systemClock } from '../kube/clock.ts';
import { clientFromKubeconfig } from '../kube/from-kubeconfig.ts';
import { serveHttp } from '../observability/http.ts';
import { createLog } from '../observability/log.ts';
import { createMetrics } from '../observability/metrics.ts';

const names = z
  .string()
  .default('')
  .transform((list) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );
const environment = z
  .object({
    TIDEMARK_AGENT_IMAGE: z.string().min(1),
    TIDEMARK_AGENT_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
    TIDEMARK_AGENT_IMAGE_PULL_SECRETS: names,
    TIDEMARK_WATCH_NAMESPACES: names,
    TIDEMARK_AGENT_ACCESS: z.enum(['Managed', 'Provided']).default('Managed'),
    TIDEMARK_AGENT_CLUSTER_ROLE: z.string().default('tidemark-agent'),
    TIDEMARK_LEASE_NAMESPACE: z.string().optional(),
    TIDEMARK_LEASE_NAME: z.string().default('tidemark-operator'),
    TIDEMARK_POD_NAME: z.string().default('operator'),
    TIDEMARK_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    TIDEMARK_HTTP_PORT: z.coerce.number().int().default(8080),
  })
  .parse(process.env);

/** A watch that has failed for this long does not come back by itself. */
const longestStaleness = 10 * 60_000;

const log = createLog(environment.TIDEMARK_LOG_LEVEL);
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

const client = await clientFromKubeconfig();
const metrics = createMetrics();
const manager = createManager({
  client,
  clock: systemClock,
  log,
  metrics,
  settings: {
    agent: {
      image: environment.TIDEMARK_AGENT_IMAGE,
      imagePullPolicy: environment.TIDEMARK_AGENT_IMAGE_PULL_POLICY,
      imagePullSecrets: environment.TIDEMARK_AGENT_IMAGE_PULL_SECRETS,
      // Who may make no role of the cluster has made one in each namespace.
      execRole: environment.TIDEMARK_AGENT_ACCESS === 'Provided' ? 'Role' : 'ClusterRole',
    },
    agentAccess: environment.TIDEMARK_AGENT_ACCESS,
    agentClusterRole: environment.TIDEMARK_AGENT_CLUSTER_ROLE,
  },
  namespaces: environment.TIDEMARK_WATCH_NAMESPACES,
  lease: {
    namespace: environment.TIDEMARK_LEASE_NAMESPACE ?? client.namespace,
    name: environment.TIDEMARK_LEASE_NAME,
    identity: `${environment.TIDEMARK_POD_NAME}_${randomBytes(4).toString('hex')}`,
  },
});
const caches = Object.values(manager.caches);
const http = await serveHttp({
  port: environment.TIDEMARK_HTTP_PORT,
  registry: metrics.registry,
  notReady: () =>
    stop.signal.aborted
      ? 'stopping'
      : caches.every((cache) => cache.isSynced)
        ? undefined
        : 'the caches are not filled yet',
  notAlive: () =>
    caches.some((cache) => cache.staleFor > longestStaleness) ? 'a watch has failed for ten minutes' : undefined,
});
log.info({ port: http.port, namespaces: environment.TIDEMARK_WATCH_NAMESPACES }, 'Started');

const ended = await manager.run(stop.signal).then(
  () => undefined,
  (error: unknown) => ({ error }),
);
await http.close();
await client.close();
if (ended === undefined) log.info({}, 'Stopped');
else log.fatal({ err: ended.error }, 'Stopped, because it may no longer lead');
process.exitCode = ended === undefined ? 0 : 1;
