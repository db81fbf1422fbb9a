import type { Schedule } from '../../api/backup-policy.ts';
import type { BackupPolicy } from '../../api/kinds.ts';
import { annotations, labels, managedBy } from '../../domain/labels.ts';
import { cronJobName } from '../../domain/naming.ts';
import type { BackupTask } from '../../domain/task.ts';
import type { Desired } from '../../kube/objects.ts';
import { type AgentSettings, buildJob, hashOf, ownerOf, policyLabels } from '../jobs/build-job.ts';
import { isRefusal, type Refusal } from '../refusal.ts';

/** A Job that is late by more than this is left out: an hour's downtime does not lose a backup, a day's does not start two. */
const startingDeadlineSeconds = 3600;

/** The CronJob of a schedule: Kubernetes' own clockwork, so that backups go on while the operator is down. */
export function buildCronJob(
  policy: BackupPolicy,
  schedule: Schedule,
  task: BackupTask,
  agent: AgentSettings,
): Desired | Refusal {
  const { metadata, spec } = policy;
  const own = policyLabels(metadata.name, schedule.name);
  const job = buildJob({
    task: { ...task, schedule: schedule.name, method: schedule.method, type: schedule.type },
    template: spec.jobTemplate,
    agent,
    labels: own,
  });
  if (isRefusal(job)) return job;
  const cronJobSpec = {
    schedule: schedule.cron,
    timeZone: schedule.timeZone,
    suspend: spec.suspend,
    concurrencyPolicy: 'Forbid',
    startingDeadlineSeconds,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 3,
    jobTemplate: { metadata: { labels: job.metadata.labels }, spec: job.spec },
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: {
      name: cronJobName(metadata.name, schedule.name),
      namespace: metadata.namespace,
      labels: { ...own, [labels.managedBy]: managedBy },
      annotations: { [annotations.taskHash]: hashOf(cronJobSpec) },
      ownerReferences: [ownerOf(policy)],
    },
    spec: cronJobSpec,
  };
}
