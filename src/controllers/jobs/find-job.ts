import type { JobView } from '../../domain/job-state.ts';
import type { Job, Pod } from '../../kube/workloads.ts';
import { type Caches, indexes } from '../context.ts';
import { isActive, viewJob } from './view-job.ts';

export interface FoundJob {
  readonly job: Job;
  readonly view: JobView;
  /** Pods that still run or clean up. */
  readonly activePods: readonly Pod[];
}

/** A Job of Tidemark's by name, with its pods. */
export function findJob(
  { jobs, pods }: Pick<Caches, 'jobs' | 'pods'>,
  namespace: string,
  name: string,
): FoundJob | undefined {
  const job = jobs.get(namespace, name);
  if (job === undefined) return undefined;
  const own = pods.byIndex(indexes.job, `${namespace}/${name}`);
  return { job, view: viewJob(job, own), activePods: own.filter(isActive) };
}

/** Pods that outlive their Job for a moment: they were told to end and clean up. */
export function remainingPods({ pods }: Pick<Caches, 'pods'>, namespace: string, name: string): readonly Pod[] {
  return pods.byIndex(indexes.job, `${namespace}/${name}`).filter(isActive);
}
