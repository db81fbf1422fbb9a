import { jobTemplate } from '../../api/job-template.ts';
import type { BackupPolicy, BackupRepository } from '../../api/kinds.ts';
import { placeOf } from '../../domain/catalogue/place.ts';
import { syncRequest } from '../../domain/catalogue/request.ts';
import { withoutIdentity } from '../../domain/encryption.ts';
import { labelValue } from '../../domain/label-value.ts';
import { annotations, labels } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import type { SyncTask } from '../../domain/task.ts';
import type { Desired } from '../../kube/objects.ts';
import { type AgentSettings, buildJob, ownerOf } from '../jobs/build-job.ts';
import { isRefusal, type Refusal } from '../refusal.ts';

export interface SyncParts {
  readonly repository: BackupRepository;
  /** Of the namespace. */
  readonly policies: readonly BackupPolicy[];
  readonly agent: AgentSettings;
}

const activeDeadlineSeconds = 3600;
const keptSeconds = 3600;

/** Of one name, so that there is never a second one. */
export function syncJobName({ metadata }: Pick<BackupRepository, 'metadata'>): string {
  return jobName('catalogue', metadata.name);
}

/** The Job that reads the catalogue. It is not tried again by itself: the next one does what this one has not. */
export function buildSyncJob(parts: SyncParts, depth: SyncTask['depth']): Desired | Refusal {
  const { repository, agent } = parts;
  const { metadata } = repository;
  const job = buildJob({
    task: taskOf(parts, depth),
    template: { ...jobTemplate.parse({}), activeDeadlineSeconds },
    agent,
    runName: metadata.name,
    labels: { [labels.repository]: labelValue(metadata.name) },
    backoffLimit: 0,
    ttlSecondsAfterFinished: keptSeconds,
  });
  if (isRefusal(job)) return job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: syncJobName(repository),
      namespace: metadata.namespace,
      labels: job.metadata.labels,
      annotations: { ...job.metadata.annotations, [annotations.place]: placeOf(repository.spec) },
      ownerReferences: [ownerOf(repository)],
    },
    spec: job.spec,
  };
}

function taskOf({ repository, policies }: SyncParts, depth: SyncTask['depth']): SyncTask {
  const { metadata, spec, status } = repository;
  const requested = metadata.annotations?.[annotations.sync]?.slice(0, 1024);
  const isAnswered = requested === status?.catalogue?.requested;
  const { report: _, ...previous } = status?.catalogue ?? {};
  return {
    action: 'sync-catalogue',
    namespace: metadata.namespace,
    repositoryObject: { name: metadata.name, uid: metadata.uid, generation: metadata.generation },
    repository: { name: metadata.name, spec: withoutIdentity(spec) },
    namespaces: spec.catalogue?.namespaces ?? [metadata.namespace],
    limits: policies.flatMap(({ metadata: { name }, spec: policy }) => {
      const succeeded = policy?.historyLimits?.succeeded;
      return succeeded === undefined ? [] : [{ policy: name, succeeded }];
    }),
    depth,
    // A request is for one sync.
    ...syncRequest(isAnswered ? undefined : requested),
    ...(requested === undefined ? {} : { requested }),
    place: placeOf(spec),
    previous,
  };
}
