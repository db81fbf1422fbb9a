import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import { timeZonesOf } from '../../domain/retention/time-zones.ts';
import type { ExpireTask } from '../../domain/task.ts';
import { failedVerification } from '../../domain/verification/failed.ts';
import type { Desired } from '../../kube/objects.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import { type AgentSettings, buildJob, ownerOf, policyLabels } from '../jobs/build-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';

export interface ExpireParts {
  readonly policy: BackupPolicy;
  /** In the order of spec.repositoryRefs. */
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly runs: readonly BackupRun[];
  readonly agent: AgentSettings;
  readonly now: Date;
}

/** The agent refuses to work by a task that is older than this. */
const activeDeadlineSeconds = 3600;
const keptSeconds = 86_400;

/** Of one name, so that there is never a second one. */
export function expireJobName({ metadata }: Pick<BackupPolicy, 'metadata'>): string {
  return jobName('expire', metadata.name);
}

/** The Job that plans and carries out what retention deletes. It is not tried again by itself: the next one plans anew. */
export function buildExpireJob(parts: ExpireParts): Desired | Refusal {
  const { policy, repositories, agent } = parts;
  const { metadata, spec } = policy;
  const stores = repositoryTasks(metadata.namespace, spec.repositoryRefs, repositories);
  if (!isList(stores)) return stores;
  const { retention } = spec;
  if (retention === undefined) return refused('NoRule', 'spec.retention is not set.');
  const job = buildJob({
    task: taskOf(parts, retention, [...stores]),
    template: { ...spec.jobTemplate, backoffLimit: 0, activeDeadlineSeconds },
    agent,
    runName: metadata.name,
    labels: policyLabels(metadata.name),
    ttlSecondsAfterFinished: keptSeconds,
  });
  if (isRefusal(job)) return job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: expireJobName(policy),
      namespace: metadata.namespace,
      labels: job.metadata.labels,
      annotations: { ...job.metadata.annotations, [annotations.generation]: String(metadata.generation) },
      ownerReferences: [ownerOf(policy)],
    },
    spec: job.spec,
  };
}

function taskOf(
  { policy: { metadata, spec }, runs, now }: ExpireParts,
  retention: ExpireTask['retention'],
  repositories: ExpireTask['repositories'],
): ExpireTask {
  return {
    action: 'expire',
    namespace: metadata.namespace,
    policy: { name: metadata.name, uid: metadata.uid, generation: metadata.generation },
    repositories,
    retention,
    timeZones: timeZonesOf(spec),
    held: runs.flatMap(({ spec: run, status }) =>
      run.hold && status?.backupID !== undefined ? [status.backupID] : [],
    ),
    failed: runs.flatMap((run) =>
      failedVerification(run) && run.status?.backupID !== undefined ? [run.status.backupID] : [],
    ),
    issuedTime: rfc3339(now),
  };
}
