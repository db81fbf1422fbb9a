import type { BackupPolicy } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { annotations, labels, managedBy } from '../../domain/labels.ts';
import type { RepositoryTask, ServerTask, WatchWalTask } from '../../domain/task.ts';
import type { Desired } from '../../kube/objects.ts';
import { type AgentSettings, buildJob, hashOf, ownerOf, policyLabels } from '../jobs/build-job.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { watchMode } from './marks.ts';

export interface WatcherParts {
  readonly policy: BackupPolicy;
  /** None: it takes back what it has set. */
  readonly mode: WatchWalTask['mode'];
  readonly server: ServerTask;
  readonly repositories: readonly RepositoryTask[];
  readonly agent: AgentSettings;
}

export function watcherName(policy: string): string {
  return `${policy}-wal`;
}

/** One pod that watches over a policy's archive; in mode Stream it receives the WAL, so there is never a second one. */
export function buildWatcher(parts: WatcherParts): Desired | Refusal {
  const { policy, agent } = parts;
  const { name, namespace } = policy.metadata;
  const own = policyLabels(name);
  const job = buildJob({ task: watchTask(parts), template: policy.spec.jobTemplate, agent, labels: own });
  if (isRefusal(job)) return job;
  const { metadata, spec: pod } = job.spec['template'] as {
    readonly metadata: { readonly labels: object };
    readonly spec: object;
  };
  // Unlike a backup it begins again where it was, so the autoscalers may move it.
  const { annotations: asked } = policy.spec.jobTemplate;
  const templateMetadata = { labels: metadata.labels, ...(asked === undefined ? {} : { annotations: asked }) };
  const selector = { [labels.policy]: labelValue(name), [labels.action]: 'watch-wal' };
  const spec = {
    replicas: 1,
    revisionHistoryLimit: 1,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: selector },
    template: { metadata: templateMetadata, spec: { ...pod, restartPolicy: 'Always' } },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: watcherName(name),
      namespace,
      labels: { ...own, [labels.managedBy]: managedBy },
      annotations: { [annotations.taskHash]: hashOf(spec), [watchMode]: parts.mode },
      ownerReferences: [ownerOf(policy)],
    },
    spec,
  };
}

function watchTask({ policy, mode, server, repositories }: WatcherParts): WatchWalTask {
  const { metadata, spec } = policy;
  const { walArchiving } = spec;
  return {
    action: 'watch-wal',
    namespace: metadata.namespace,
    policy: { name: metadata.name, uid: metadata.uid },
    mode,
    server: { ...server, role: 'Primary' },
    repositories: [...repositories],
    archiveTimeoutSeconds: walArchiving.archiveTimeoutSeconds,
    maxParallel: walArchiving.maxParallel,
    ...(walArchiving.minRepositories === undefined ? {} : { minRepositories: walArchiving.minRepositories }),
    compression: walArchiving.compression,
    summarizeWal: spec.schedules.some(({ type }) => type !== 'Full'),
    ...(walArchiving.heartbeat === undefined ? {} : { heartbeatSeconds: walArchiving.heartbeat.intervalSeconds }),
    slot: slotName(metadata.namespace, metadata.name),
  };
}

/** Letters, digits and underscores, 63 at most (PostgreSQL, "Replication Slots"); a digest tells two apart. */
export function slotName(namespace: string, policy: string): string {
  const plain = `${namespace}_${policy}`.replaceAll(/[^a-z0-9]/g, '_').slice(0, 36);
  return `tidemark_${plain}_${hashOf([namespace, policy])}`;
}
