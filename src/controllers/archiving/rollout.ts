import type { WorkloadObject } from '../pitr-recovery/server.ts';
import { sidecarHash, sidecarPolicy } from './marks.ts';

/** Whether the pods of a workload are those of its template. */
export interface Rollout {
  readonly state: 'Done' | 'UnderWay' | 'Waiting';
  readonly reason: string;
  readonly message: string;
}

export function rolloutOf(workload: WorkloadObject): Rollout {
  const { kind, metadata, spec } = workload;
  const { replicas = 1 } = spec;
  const status = (workload.status ?? {}) as Readonly<Record<string, number | string | undefined>>;
  const updated = Number(status['updatedReplicas'] ?? 0);
  const seen = Number(status['observedGeneration'] ?? 0) >= Number(metadata['generation'] ?? 0);
  // A StatefulSet whose update is over counts no updated pods apart from the current ones.
  const current = status['currentRevision'] !== undefined && status['currentRevision'] === status['updateRevision'];
  const done = seen && (current || updated >= replicas) && Number(status['readyReplicas'] ?? 0) >= replicas;
  if (done) return { state: 'Done', reason: 'Archiving', message: '' };
  const held = current ? undefined : whyHeld(workload);
  if (held !== undefined) return { state: 'Waiting', reason: 'RestartNeeded', message: held };
  return {
    state: 'UnderWay',
    reason: 'Restarting',
    message: `The pods of ${kind} ${metadata.name} are being restarted for archiving`,
  };
}

/** The hash of what Tidemark has put into the pod template. */
export function presentSidecar(workload: WorkloadObject): string | undefined {
  return marksOf(workload)[sidecarHash];
}

/** The policy whose sidecar is in the pod template. */
export function sidecarHolder(workload: WorkloadObject): string | undefined {
  return marksOf(workload)[sidecarPolicy];
}

function marksOf({ spec }: WorkloadObject): Readonly<Record<string, string | undefined>> {
  const template = spec.template as
    | { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } }
    | undefined;
  return template?.metadata?.annotations ?? {};
}

/** What keeps the pods from becoming those of their template, until a person does something. */
function whyHeld({ kind, metadata, spec }: WorkloadObject): string | undefined {
  const { name, namespace } = metadata;
  if (kind === 'Deployment')
    return spec['paused'] === true
      ? `Deployment ${name} is paused, and archiving begins when its pods are restarted. When it suits: kubectl --namespace ${namespace} rollout resume deployment ${name}`
      : undefined;
  const { type, rollingUpdate } = (spec['updateStrategy'] ?? {}) as {
    readonly type?: string;
    readonly rollingUpdate?: { readonly partition?: number };
  };
  if (type === 'OnDelete')
    return `StatefulSet ${name} has updateStrategy OnDelete, so its pods do not restart by themselves, and archiving begins with their next start. When it suits: kubectl --namespace ${namespace} delete pod ${name}-0`;
  const partition = rollingUpdate?.partition ?? 0;
  return partition === 0
    ? undefined
    : `StatefulSet ${name} has updateStrategy.rollingUpdate.partition ${partition}, so not all of its pods restart, and archiving begins when the primary does. When it suits, set the partition to 0.`;
}
