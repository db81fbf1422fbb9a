import type { PitrRecovery } from '../../api/kinds.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import type { AgentSettings } from '../jobs/build-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import type { Refusal } from '../refusal.ts';
import { jobNameOf } from './names.ts';
import type { RecoveryStatus } from './progress.ts';
import { reportOf } from './progress.ts';
import type { Surroundings } from './surroundings.ts';

/** What a recovery is decided by. */
export interface Gathered {
  readonly recovery: PitrRecovery;
  readonly planJob: FoundJob | undefined;
  readonly recoverJob: FoundJob | undefined;
  /** Of either Job: they run, or clean up. */
  readonly activePods: readonly Pod[];
  /** Only where something is about to be made. */
  readonly surroundings: Surroundings | Refusal | undefined;
  readonly account: Refusal | undefined;
  /** The objects that have the names of a new instance's. */
  readonly namesakes: readonly Namesake[];
  /** The server that gets the data: a new instance's StatefulSet, or the workload of target.inPlace. */
  readonly workload: WorkloadState | undefined;
  /** The PitrRecovery that recovers the same workload in place, and comes before this one. */
  readonly rival: string | undefined;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface Namesake {
  readonly kind: 'StatefulSet' | 'Service' | 'PersistentVolumeClaim';
  readonly name: string;
  readonly uid: string;
  /** Made by this recovery. */
  readonly own: boolean;
}

export interface WorkloadState {
  readonly kind: 'StatefulSet' | 'Deployment';
  readonly name: string;
  readonly uid: string;
  readonly replicas: number;
  readonly ready: boolean;
  /** Pods that are still there. */
  readonly pods: number;
  /** whenScaled: Delete: scaling it down would remove the data. */
  readonly losesClaims: boolean;
}

export type Step =
  | { readonly do: 'make'; readonly object: Desired }
  | { readonly do: 'makeJob'; readonly object: Desired }
  | { readonly do: 'remove'; readonly kind: string; readonly name: string; readonly uid: string }
  | { readonly do: 'scale'; readonly workload: WorkloadState; readonly replicas: number };

export interface Decision {
  readonly finalizers: readonly string[];
  readonly steps: readonly Step[];
  readonly status: RecoveryStatus | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

export function hadJob(
  { metadata, status }: PitrRecovery,
  job: FoundJob | undefined,
  what: 'plan' | 'recover',
): boolean {
  return job !== undefined || status?.jobName === jobNameOf({ metadata }, what);
}

export function isRecovered({ recovery, recoverJob }: Gathered): boolean {
  const finished = recoverJob?.view.finished;
  if (finished !== undefined) return finished.outcome === 'Complete';
  return reportOf(recovery, jobNameOf(recovery, 'recover'))?.outcome === 'Succeeded';
}

export function inPlace({ spec }: PitrRecovery): boolean {
  return spec.target.inPlace !== undefined;
}
