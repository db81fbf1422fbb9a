import type { PitrRecovery } from '../../api/kinds.ts';
import type { KubeClient } from '../../kube/client.ts';
import { list, read } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import { isActive } from '../jobs/view-job.ts';
import type { WorkloadState } from './gathered.ts';
import type { WorkloadObject } from './server.ts';

/** The server that the data is for, as it is at this moment; undefined where there is none. */
export async function readWorkload(
  client: KubeClient,
  { metadata, spec }: PitrRecovery,
  signal: AbortSignal,
): Promise<WorkloadState | undefined> {
  const { inPlace, instance } = spec.target;
  const { namespace } = metadata;
  const ref =
    inPlace?.workloadRef ??
    (instance === undefined ? undefined : { kind: 'StatefulSet' as const, name: instance.name });
  if (ref === undefined) return undefined;
  const workload = await read<WorkloadObject>(client, ref.kind, namespace, ref.name, signal);
  if (workload === undefined) return undefined;
  const { replicas = 1, persistentVolumeClaimRetentionPolicy } = workload.spec;
  return {
    kind: ref.kind,
    name: ref.name,
    uid: workload.metadata.uid,
    replicas,
    ready: isObserved(workload) && (workload.status?.readyReplicas ?? 0) >= Math.max(1, replicas),
    pods: inPlace === undefined ? 0 : await countPods(client, namespace, workload, signal),
    losesClaims: persistentVolumeClaimRetentionPolicy?.whenScaled === 'Delete',
  };
}

/** Its status is of what was asked of it last. */
function isObserved({ metadata, status }: WorkloadObject): boolean {
  return Number(status?.['observedGeneration'] ?? 0) >= Number(metadata['generation'] ?? 0);
}

async function countPods(
  client: KubeClient,
  namespace: string,
  { spec }: WorkloadObject,
  signal: AbortSignal,
): Promise<number> {
  const pods = await list<Pod>(client, 'Pod', namespace, selectorText(spec.selector), signal);
  return pods.filter(isActive).length;
}

/** A label selector as a query has it (Kubernetes, "Labels and Selectors"). */
export function selectorText({
  matchLabels = {},
  matchExpressions = [],
}: NonNullable<WorkloadObject['spec']['selector']> = {}): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
      default:
        return `${key} ${operator === 'NotIn' ? 'notin' : 'in'} (${values.join(',')})`;
    }
  });
  return [...equal, ...expressions].join(',');
}
