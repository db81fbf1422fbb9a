import { backupRunSpec } from '../../api/backup-run.ts';
import { labels, operatorFieldManager } from '../../domain/labels.ts';
import { scheduledRun } from '../../domain/scheduled-run.ts';
import { isNotFound } from '../../kube/api-error.ts';
import { createIfAbsent } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/paths.ts';
import type { Job } from '../../kube/workloads.ts';
import type { Context } from '../context.ts';

/** On a Job: its BackupRun was made. A person who deletes that run later does not get it back. */
const recorded = 'tidemark.dev/recorded';

/** Makes the BackupRun of a schedule's Job where its agent has not done so: it may not even have started. */
export async function recordScheduledJob(context: Context, job: Job, signal: AbortSignal): Promise<void> {
  const { namespace, name, labels: own = {}, annotations = {}, deletionTimestamp, ownerReferences = [] } = job.metadata;
  const schedule = own[labels.schedule];
  if (
    schedule === undefined ||
    own[labels.action] !== 'backup' ||
    annotations[recorded] === 'true' ||
    deletionTimestamp !== undefined
  )
    return;
  const policy = policyOf(context, namespace, ownerReferences);
  if (policy === undefined) return;
  const { method = 'Logical', type = 'Full' } = policy.schedules.find((each) => each.name === schedule) ?? {};
  const run = scheduledRun({ namespace, jobName: name, policy: { name: policy.name }, schedule, method, type });
  await createIfAbsent(context.client, { ...run, spec: backupRunSpec.parse(run.spec) }, operatorFieldManager, signal);
}

/** Remembers on the Job that its run is there. */
export async function markRecorded({ client }: Context, job: Job, signal: AbortSignal): Promise<void> {
  const { namespace, name, annotations = {}, labels: own = {} } = job.metadata;
  if (own[labels.schedule] === undefined || annotations[recorded] === 'true') return;
  try {
    await client.request('PATCH', resourcePath('Job', { namespace, name }), {
      body: { metadata: { annotations: { [recorded]: 'true' } } },
      contentType: 'application/merge-patch+json',
      signal,
    });
  } catch (error) {
    // The Job went meanwhile, and with it the need.
    if (!isNotFound(error)) throw error;
  }
}

/** A label may hold a shortened name; the CronJob's owner has the whole one. */
function policyOf(
  { caches }: Context,
  namespace: string,
  owners: readonly { readonly kind: string; readonly name: string }[],
) {
  const cronJob = owners.find(({ kind }) => kind === 'CronJob');
  const owner =
    cronJob === undefined
      ? undefined
      : caches.cronJobs
          .get(namespace, cronJob.name)
          ?.metadata.ownerReferences?.find(({ kind }) => kind === 'BackupPolicy');
  const policy = owner === undefined ? undefined : caches.policies.get(namespace, owner.name);
  return policy === undefined ? undefined : { name: policy.metadata.name, schedules: policy.spec.schedules };
}
