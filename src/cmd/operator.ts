import { randomBytes } from 'node:crypto';
import { createManager } from '../controllers/manager.ts';
import { seenByUi } from '../controllers/seen-by-ui.ts';
import { systemClock } from '../kube/clock.ts';
import { clientFromKubeconfig } from '../kube/from-kubeconfig.ts';
import { serveHttp } from '../observability/http.ts';
import { createLog } from '../observability/log.ts';
import { createMetrics } from '../observability/metrics.ts';
import { serveUi } from '../observability/ui/serve-ui.ts';
import { readEnvironment } from './operator-environment.ts';

const environment = readEnvironment(process.env);

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
const ui = environment.TIDEMARK_UI
  ? await serveUi({
      port: environment.TIDEMARK_UI_PORT,
      listen: environment.TIDEMARK_UI_LISTEN,
      seen: seenByUi(manager, environment.TIDEMARK_POD_NAME),
      now: () => systemClock.now(),
      failed: (error) => log.error({ err: error }, 'A page of the UI could not be made'),
    })
  : undefined;
log.info({ port: http.port, uiPort: ui?.port, namespaces: environment.TIDEMARK_WATCH_NAMESPACES }, 'Started');

const ended = await manager.run(stop.signal).then(
  () => undefined,
  (error: unknown) => ({ error }),
);
await Promise.all([http.close(), ui?.close()]);
await client.close();
if (ended === undefined) log.info({}, 'Stopped');
else log.fatal({ err: ended.error }, 'Stopped, because it may no longer lead');
process.exitCode = ended === undefined ? 0 : 1;
