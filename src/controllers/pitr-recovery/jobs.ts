import type { PitrRecovery } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';
import type { KubeClient } from '../../kube/client.ts';
import { list, read } from '../../kube/objects.ts';
import { type Job, jobNameLabel, type Pod } from '../../kube/workloads.ts';
import { isOwnedBy } from '../jobs/create-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isActive, viewJob } from '../jobs/view-job.ts';
import { jobNameOf } from './names.ts';

export interface RecoveryJobs {
  readonly planJob: FoundJob | undefined;
  readonly recoverJob: FoundJob | undefined;
  /** Of either, and of one that is gone as well: they were told to end, and clean up. */
  readonly pods: readonly Pod[];
}

/** To be read before the recovery itself: an agent that is seen to have ended has then written its last word. */
export async function findJobs(
  client: KubeClient,
  recovery: Pick<PitrRecovery, 'metadata'>,
  signal: AbortSignal,
): Promise<RecoveryJobs> {
  const { namespace, name } = recovery.metadata;
  const labelSelector = `${labels.recovery}=${labelValue(name)}`;
  const [plan, recover, pods] = await Promise.all([
    readOwn(client, recovery, 'plan', signal),
    readOwn(client, recovery, 'recover', signal),
    list<Pod>(client, 'Pod', namespace, labelSelector, signal),
  ]);
  const both = [plan, recover].map((job) => (job === undefined ? undefined : viewed(job, pods)));
  const ofJobs = pods.filter(({ metadata }) => metadata.labels?.[jobNameLabel] !== undefined);
  return { planJob: both[0], recoverJob: both[1], pods: ofJobs };
}

async function readOwn(
  client: KubeClient,
  recovery: Pick<PitrRecovery, 'metadata'>,
  what: 'plan' | 'recover',
  signal: AbortSignal,
): Promise<Job | undefined> {
  const { namespace, uid } = recovery.metadata;
  const job = await read<Job>(client, 'Job', namespace, jobNameOf(recovery, what), signal);
  return job !== undefined && isOwnedBy(job, uid) ? job : undefined;
}

function viewed(job: Job, pods: readonly Pod[]): FoundJob {
  const own = pods.filter(
    ({ metadata }) =>
      metadata.labels?.[jobNameLabel] === job.metadata.name &&
      (metadata.ownerReferences ?? []).every(({ uid }) => uid === job.metadata.uid),
  );
  return { job, view: viewJob(job, own), activePods: own.filter(isActive) };
}
