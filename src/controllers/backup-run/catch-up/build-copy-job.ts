import type { BackupPolicy, BackupRepository, BackupRun } from '../../../api/kinds.ts';
import { encryptionOf, sameEncryption, withoutIdentity } from '../../../domain/encryption.ts';
import { labelValue } from '../../../domain/label-value.ts';
import { labels } from '../../../domain/labels.ts';
import { parseBackupPath } from '../../../domain/layout.ts';
import { jobName } from '../../../domain/naming.ts';
import type { CopyTask, RepositoryTask } from '../../../domain/task.ts';
import type { Desired } from '../../../kube/objects.ts';
import { isList, repositoryTasks } from '../../backup-task.ts';
import { type AgentSettings, buildJob, ownerOf, policyLabels } from '../../jobs/build-job.ts';
import { isRefusal, type Refusal, refused } from '../../refusal.ts';

export interface CopyParts {
  readonly run: BackupRun;
  readonly policy: BackupPolicy;
  /** The one that lacks the backup. */
  readonly to: BackupRepository;
  /** Those that have it, in the policy's order. */
  readonly from: readonly BackupRepository[];
  readonly agent: AgentSettings;
}

const keptSeconds = 3600;

/** Of one name for a policy, so that there are never two at once. */
export function copyJobName({ spec }: Pick<BackupRun, 'spec'>): string {
  return jobName('copy', spec.policyRef.name);
}

/** The Job that brings a run's backup to a repository that missed it; the server is not read again. */
export function buildCopyJob({ run, policy, to, from, agent }: CopyParts): Desired | Refusal {
  const { namespace, name, uid } = run.metadata;
  const { backupID, repositories = [] } = run.status ?? {};
  const path = repositories.find(({ state }) => state === 'Stored')?.path;
  const place = path === undefined ? undefined : parseBackupPath(path);
  if (backupID === undefined || place === undefined)
    return refused('SourceNotStored', `BackupRun ${name} does not say where its backup lies.`);
  const target = repositoryTasks(namespace, [to.metadata], [to]);
  if (!isList(target)) return target;
  const sources = repositoryTasks(
    namespace,
    from.map(({ metadata }) => metadata),
    from,
    'read',
  );
  if (!isList(sources)) return sources;
  const task: CopyTask = {
    action: 'copy',
    namespace,
    run: { name, uid },
    repositories: [...target, ...sources.map((source) => withIdentityIfNeeded(source, to))],
    source: { namespace: place.namespace, policy: place.policy, systemIdentifier: place.systemIdentifier },
    backups: [backupID],
    wal: run.spec.method === 'Physical' && policy.spec.physical.walMethod === 'Archive',
    deadlineSeconds: policy.spec.jobTemplate.activeDeadlineSeconds,
  };
  const job = buildJob({
    task,
    template: policy.spec.jobTemplate,
    agent,
    runName: name,
    labels: { ...policyLabels(policy.metadata.name), [labels.run]: labelValue(name) },
    backoffLimit: 0,
    ttlSecondsAfterFinished: keptSeconds,
  });
  if (isRefusal(job)) return job;
  const metadata = { name: copyJobName(run), namespace, ...job.metadata, ownerReferences: [ownerOf(run)] };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: job.spec };
}

/** What is copied as it is needs nobody who could decrypt it. */
function withIdentityIfNeeded(source: RepositoryTask, to: BackupRepository): RepositoryTask {
  const alike = sameEncryption(encryptionOf(source.spec), encryptionOf(to.spec));
  return alike ? { ...source, spec: withoutIdentity(source.spec) } : source;
}
