import type { WorkloadRef } from '../api/postgres-server.ts';
import type { KubeClient } from '../kube/client.ts';
import { read } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import type { Pod, Service, Workload } from '../kube/workloads.ts';
import { missing, type Refusal } from './refusal.ts';

interface ServerRef {
  readonly workloadRef?: WorkloadRef | undefined;
  readonly host?: string | undefined;
  readonly port: number;
}

/**
 * The names under which an agent reaches the server, which must hold while pods come and go, since a CronJob keeps them:
 * a StatefulSet's pods by their own names, a Deployment's or a Pod's through a Service that selects them.
 */
export async function findHosts(
  client: KubeClient,
  namespace: string,
  { workloadRef, host, port }: ServerRef,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  if (host !== undefined) return [host];
  if (workloadRef === undefined) return missing('TargetNotFound', 'Neither workloadRef nor host is set.');
  switch (workloadRef.kind) {
    case 'StatefulSet':
      return await hostsOfStatefulSet(client, namespace, workloadRef.name, port, signal);
    case 'Deployment':
      return await hostsOfDeployment(client, namespace, workloadRef.name, port, signal);
    case 'Pod':
      return await hostsOfPod(client, namespace, workloadRef.name, port, signal);
  }
}

async function hostsOfStatefulSet(
  client: KubeClient,
  namespace: string,
  name: string,
  port: number,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  const set = await read<Workload>(client, 'StatefulSet', namespace, name, signal);
  if (set === undefined) return notFound('StatefulSet', namespace, name);
  const { serviceName = '', replicas = 1 } = set.spec;
  if (serviceName === '')
    return await hostsBySelector(client, namespace, `StatefulSet ${name}`, labelsOf(set), port, signal);
  // A set that is scaled down has no pod now, but the backup's failure then is "it does not answer", which is the truth.
  return Array.from(
    { length: Math.max(1, replicas) },
    (_, index) => `${name}-${index}.${serviceName}.${namespace}.svc`,
  );
}

async function hostsOfDeployment(
  client: KubeClient,
  namespace: string,
  name: string,
  port: number,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  const deployment = await read<Workload>(client, 'Deployment', namespace, name, signal);
  if (deployment === undefined) return notFound('Deployment', namespace, name);
  return await hostsBySelector(client, namespace, `Deployment ${name}`, labelsOf(deployment), port, signal);
}

async function hostsOfPod(
  client: KubeClient,
  namespace: string,
  name: string,
  port: number,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  const pod = await read<Pod>(client, 'Pod', namespace, name, signal);
  if (pod === undefined) return notFound('Pod', namespace, name);
  const { hostname, subdomain } = pod.spec ?? {};
  if (hostname !== undefined && subdomain !== undefined) return [`${hostname}.${subdomain}.${namespace}.svc`];
  const found = await hostsBySelector(client, namespace, `Pod ${name}`, pod.metadata.labels ?? {}, port, signal);
  if (!('mayCome' in found)) return found;
  return pod.status?.podIP === undefined ? found : [pod.status.podIP];
}

/** The Service of the namespace that selects these pods and has the port; headless and cluster IP alike. */
async function hostsBySelector(
  client: KubeClient,
  namespace: string,
  what: string,
  labels: Readonly<Record<string, string>>,
  port: number,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  const { items } = await client.request<{ items: readonly Service[] }>('GET', resourcePath('Service', { namespace }), {
    signal,
  });
  const fitting = items.filter(
    ({ spec }) => selects(spec.selector, labels) && spec.ports?.some((each) => each.port === port),
  );
  const [service] = fitting.sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  if (service !== undefined) return [`${service.metadata.name}.${namespace}.svc`];
  return missing(
    'TargetNotReachable',
    `No Service of namespace ${namespace} selects the pods of ${what} and has port ${port}. Create one, or set port to the one that its Service has, or give host instead of workloadRef.`,
  );
}

function selects(
  selector: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function labelsOf({ spec }: Workload): Readonly<Record<string, string>> {
  return spec.template.metadata?.labels ?? {};
}

function notFound(kind: string, namespace: string, name: string): Refusal {
  return missing('TargetNotFound', `${kind} ${namespace}/${name} does not exist. Create it, or correct workloadRef.`);
}
