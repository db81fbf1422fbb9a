import type { JobView } from '../../domain/job-state.ts';
import type { Job, Pod } from '../../kube/workloads.ts';
import { type Caches, indexes } from '../context.ts';
import { isOwnedBy } from './create-job.ts';
import { isActive, viewJob } from './view-job.ts';

export interface FoundJob {
  readonly job: Job;
  readonly view: JobView;
  /** Pods that still run or clean up. */
  readonly activePods: readonly Pod[];
}

interface Sought {
  readonly namespace: string;
  readonly name: string;
  /** The object that the Job must belong to: another of its name may have left one. Absent for a schedule's Job. */
  readonly owner: string | undefined;
}

/** A Job of Tidemark's by name, with its pods. */
export function findJob(
  { jobs, pods }: Pick<Caches, 'jobs' | 'pods'>,
  { namespace, name, owner }: Sought,
): FoundJob | undefined {
  const job = jobs.get(namespace, name);
  if (job === undefined || (owner !== undefined && !isOwnedBy(job, owner))) return undefined;
  const own = pods.byIndex(indexes.job, `${namespace}/${name}`).filter((pod) => isOf(pod, job));
  return { job, view: viewJob(job, own), activePods: own.filter(isActive) };
}

/** Pods that outlive their Job for a moment: they were told to end and clean up. */
export function remainingPods({ pods }: Pick<Caches, 'pods'>, namespace: string, name: string): readonly Pod[] {
  return pods.byIndex(indexes.job, `${namespace}/${name}`).filter(isActive);
}

/** A pod without an owner was let go by the garbage collector: its label says whose it was. */
function isOf({ metadata }: Pod, { metadata: { uid } }: Job): boolean {
  const owners = metadata.ownerReferences ?? [];
  return owners.length === 0
    ? (metadata.labels?.['batch.kubernetes.io/controller-uid'] ?? uid) === uid
    : owners.some((owner) => owner.uid === uid);
}
