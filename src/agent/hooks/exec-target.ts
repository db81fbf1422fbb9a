import { Failure, terminal, transient } from '../../domain/failure.ts';
import type { ServerTask } from '../../domain/task.ts';
import { isForbidden } from '../../kube/api-error.ts';
import type { ExecClient } from '../../kube/client.ts';
import { list, read } from '../../kube/objects.ts';
import type { Pod, Workload } from '../../kube/workloads.ts';
import { type AccessRoots, readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';
import { type ExecPlace, execForbidden, requireExecRight } from './exec-right.ts';

export interface Seeking {
  readonly client: ExecClient;
  readonly namespace: string;
  readonly place: ExecPlace;
  readonly server: ServerTask | undefined;
  readonly access?: AccessRoots | undefined;
  /** Where the hooks of this run ran before. */
  readonly known?: string | undefined;
  /** The server may be what is broken: then a running pod is taken without asking it. */
  readonly leniently: boolean;
}

/**
 * The pod of the server that is backed up, after it is sure that commands may be run in it. Rejects with a Failure that
 * says what to do; nothing was done then.
 */
export async function findExecPod(seeking: Seeking, signal: AbortSignal): Promise<Pod> {
  const { client, namespace, place, known } = seeking;
  try {
    const pod = await (known === undefined ? seekPod(seeking, signal) : findAgain(seeking, known, signal));
    await requireExecRight(client, { namespace, place, pod: pod.metadata.name }, signal);
    return pod;
  } catch (error) {
    if (isForbidden(error)) throw execForbidden(namespace, place, error);
    throw error;
  }
}

/** The same pod; of a Deployment, one that has taken its place: its pods have no name to come back under. */
async function findAgain(seeking: Seeking, known: string, signal: AbortSignal): Promise<Pod> {
  try {
    return await readPod(seeking, known, signal);
  } catch (error) {
    if (seeking.place.workload.kind !== 'Deployment' || !(error instanceof Failure)) throw error;
    return await seekPod(seeking, signal);
  }
}

async function seekPod(seeking: Seeking, signal: AbortSignal): Promise<Pod> {
  const { place, server } = seeking;
  const { kind, name } = place.workload;
  if (kind === 'Pod') return await readPod(seeking, name, signal);
  const chosen = server === undefined ? undefined : await chooseOrGoOn(seeking, server, signal);
  // A StatefulSet's pods are asked by their own names.
  const ordinal = chosen?.access.host.split('.')[0] ?? '';
  const isOwn =
    kind === 'StatefulSet' && ordinal.startsWith(`${name}-`) && /^\d+$/.test(ordinal.slice(name.length + 1));
  if (isOwn) return await readPod(seeking, ordinal, signal);
  const pods = await runningPods(seeking, signal);
  const address = chosen === undefined ? undefined : await addressOf(chosen, server?.database ?? 'postgres', signal);
  const found = pods.find(
    ({ status }) => status?.podIPs?.some(({ ip }) => ip === address) || status?.podIP === address,
  );
  const [first] = pods;
  if (found !== undefined) return found;
  if (first !== undefined && (pods.length === 1 || seeking.leniently)) return first;
  throw transient(
    'HookPodNotFound',
    `None of the ${pods.length} running pods of ${kind} ${name} has the address of the server that is backed up (${address ?? 'not known'}), so nobody knows where a hook's command is to be run. Name a Service in front of the pods that leads to one of them, or use an http hook.`,
  );
}

async function chooseOrGoOn(
  { namespace, access, leniently }: Seeking,
  server: ServerTask,
  signal: AbortSignal,
): Promise<ChosenServer | undefined> {
  try {
    return await chooseServer(server, await readAccess(server, namespace, access), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!leniently) throw error;
    return undefined;
  }
}

async function addressOf({ access }: ChosenServer, database: string, signal: AbortSignal): Promise<string | undefined> {
  return await withConnection(access, database, signal, async (query) => {
    const [row] = await query<{ address: string | null }>('SELECT host(pg_catalog.inet_server_addr()) AS address');
    return row?.address ?? undefined;
  });
}

async function readPod({ client, namespace }: Seeking, name: string, signal: AbortSignal): Promise<Pod> {
  const pod = await read<Pod>(client, 'Pod', namespace, name, signal);
  if (pod !== undefined) return pod;
  throw podMissing(`The pod ${namespace}/${name}, in which a hook's command is to be run, is not there.`);
}

async function runningPods({ client, namespace, place }: Seeking, signal: AbortSignal): Promise<readonly Pod[]> {
  const { kind, name } = place.workload;
  const workload = await read<Workload>(client, kind, namespace, name, signal);
  if (workload === undefined) throw podMissing(`${kind} ${namespace}/${name} is not there.`);
  const labels = workload.spec.selector?.matchLabels ?? workload.spec.template.metadata?.labels ?? {};
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const pods = await list<Pod>(client, 'Pod', namespace, labelSelector, signal);
  return pods
    .filter(({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === 'Running')
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

function podMissing(what: string): Failure {
  return transient('HookPodNotFound', `${what} Look what became of the workload, or correct source.workloadRef.`);
}

/** The one that runs the server, unless the hook or the policy names another. */
export function containerOf(pod: Pod, place: ExecPlace, asked: string | undefined, port: number | undefined): string {
  const containers = pod.spec?.containers ?? [];
  const wanted = asked ?? place.container;
  if (wanted !== undefined && containers.some(({ name }) => name === wanted)) return wanted;
  const names = containers.map(({ name }) => name).join(', ');
  if (wanted !== undefined)
    throw terminal(
      'HookContainerNotFound',
      `Pod ${pod.metadata.name} has no container ${wanted}; it has ${names}. Correct exec.container of the hook, or source.container.`,
    );
  const serving = containers.find(({ ports }) => ports?.some(({ containerPort }) => containerPort === port));
  const marked = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  const chosen = serving ?? containers.find(({ name }) => name === marked) ?? containers[0];
  if (chosen !== undefined) return chosen.name;
  throw terminal('HookContainerNotFound', `Pod ${pod.metadata.name} has no container.`);
}
