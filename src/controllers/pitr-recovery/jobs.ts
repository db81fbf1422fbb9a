import type { PitrRecovery } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';
import type { KubeClient } from '../../kube/client.ts';
import { read } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/paths.ts';
import type { Job, Pod } from '../../kube/workloads.ts';
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
  const path = resourcePath('Pod', { namespace });
  const [plan, recover, pods] = await Promise.all([
    readOwn(client, recovery, 'plan', signal),
    readOwn(client, recovery, 'recover', signal),
    client.request<{ readonly items?: readonly Pod[] }>('GET', path, { query: { labelSelector }, signal }),
  ]);
  const both = [plan, recover].map((job) => (job === undefined ? undefined : viewed(job, pods.items ?? [])));
  const ofJobs = (pods.items ?? []).filter(({ metadata }) => metadata.labels?.[jobLabel] !== undefined);
  return { planJob: both[0], recoverJob: both[1], pods: ofJobs };
}

const jobLabel = 'batch.kubernetes.io/job-name';

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
      metadata.labels?.[jobLabel] === job.metadata.name &&
      (metadata.ownerReferences ?? []).every(({ uid }) => uid === job.metadata.uid),
  );
  return { job, view: viewJob(job, own), activePods: own.filter(isActive) };
}
