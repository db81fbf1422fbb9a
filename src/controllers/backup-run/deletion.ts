import { jobTemplate } from '../../api/job-template.ts';
import type { BackupRepository, BackupRun } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { annotations, labels, runningJobFinalizer, storedBackupFinalizer } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import type { DeleteTask } from '../../domain/task.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import { type AgentSettings, buildJob, ownerOf } from '../jobs/build-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';

export interface GatheredDeletion {
  readonly run: BackupRun;
  readonly job: FoundJob | undefined;
  readonly activePods: readonly Pod[];
  readonly deleteJob: FoundJob | undefined;
  /** In the order of status.repositories. */
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly agent: AgentSettings;
}

export interface DeletionDecision {
  readonly finalizers: readonly string[];
  readonly removeJob: boolean;
  readonly create: Desired | undefined;
  readonly events: readonly EventNote[];
}

/** A run that a person deleted: a running Job ends first, then, with deletionPolicy Delete, the stored backup goes. */
export function decideDeletion(gathered: GatheredDeletion): DeletionDecision {
  const { run, job, activePods } = gathered;
  const present = run.metadata.finalizers ?? [];
  const stay = { finalizers: present, removeJob: false, create: undefined, events: [] };
  if (job !== undefined && job.view.finished === undefined) return { ...stay, removeJob: true };
  if (activePods.length > 0) return stay;
  const withoutJob = present.filter((name) => name !== runningJobFinalizer);
  if (!withoutJob.includes(storedBackupFinalizer) || isAbandoned(run) || !isStored(run)) return released(run);
  const left = { ...stay, finalizers: withoutJob };
  if (run.spec.hold) return { ...left, events: [notDeleted(run, heldMessage)] };
  if (isHeldStill(run)) return { ...left, events: [notDeleted(run, stillHeldMessage)] };
  return decideStoredBackup(gathered, left);
}

const heldMessage = 'it has hold: true, which keeps the stored backup; set it to false, and it is removed';

const stillHeldMessage =
  'its hold stands in the repository still; the sync that takes it back comes within a minute (see the condition CatalogueSynced of the BackupRepository)';

function isHeldStill({ status }: BackupRun): boolean {
  return (status?.repositories ?? []).some(({ state, held = false }) => state === 'Stored' && held);
}

/** Tidemark lets the object go. */
export function released({ metadata }: BackupRun): DeletionDecision {
  const finalizers = (metadata.finalizers ?? []).filter(
    (name) => name !== runningJobFinalizer && name !== storedBackupFinalizer,
  );
  return { finalizers, removeJob: false, create: undefined, events: [] };
}

export function deleteJobName({ metadata }: Pick<BackupRun, 'metadata'>): string {
  return jobName('delete', metadata.name);
}

function decideStoredBackup(gathered: GatheredDeletion, stay: DeletionDecision): DeletionDecision {
  const end = gathered.deleteJob?.view.finished;
  if (end?.outcome === 'Complete') return { ...released(gathered.run), events: [deleted(gathered.run)] };
  if (end?.outcome === 'Failed') {
    const why = gathered.deleteJob?.view.pods.at(-1)?.termination?.message ?? end.message;
    return { ...stay, events: [notDeleted(gathered.run, why)] };
  }
  if (gathered.deleteJob !== undefined) return stay;
  const job = buildDeleteJob(gathered);
  return isRefusal(job) ? { ...stay, events: [notDeleted(gathered.run, job.message)] } : { ...stay, create: job };
}

/** Kept for five minutes after its end; one that failed is made again after that. */
function buildDeleteJob({ run, repositories, agent }: GatheredDeletion): Desired | Refusal {
  const { metadata, status } = run;
  const stored = status?.repositories ?? [];
  const tasks = repositoryTasks(metadata.namespace, stored, repositories);
  if (!isList(tasks)) return tasks;
  const path = stored.find((each) => each.path !== undefined)?.path;
  if (status?.backupID === undefined || path === undefined)
    return refused('UnknownPath', 'where the backup lies is not known');
  const task: DeleteTask = {
    action: 'delete',
    namespace: metadata.namespace,
    run: { name: metadata.name, uid: metadata.uid },
    repositories: [...tasks],
    backup: { backupID: status.backupID, path },
  };
  const own = { [labels.run]: labelValue(metadata.name) };
  const job = buildJob({
    task,
    template: jobTemplate.parse({}),
    agent,
    runName: metadata.name,
    labels: own,
    backoffLimit: 2,
    ttlSecondsAfterFinished: 300,
  });
  if (isRefusal(job)) return job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: deleteJobName(run),
      namespace: metadata.namespace,
      ...job.metadata,
      ownerReferences: [ownerOf(run)],
    },
    spec: job.spec,
  };
}

/** An object of an ended run without a stored backup, or one that retention has deleted, has nothing to remove. */
function isStored({ status }: BackupRun): boolean {
  return (
    status?.backupID !== undefined &&
    (status.repositories ?? []).some(({ path, state }) => path !== undefined && state !== 'Removed')
  );
}

function isAbandoned({ metadata }: BackupRun): boolean {
  return metadata.annotations?.[annotations.abandon] === 'true';
}

function deleted({ status }: BackupRun): EventNote {
  return {
    type: 'Normal',
    reason: 'StoredBackupDeleted',
    action: 'Delete',
    note: `The stored backup ${status?.backupID} was removed`,
  };
}

export function notDeleted({ metadata, status }: BackupRun, why: string): EventNote {
  const command = `kubectl annotate backuprun -n ${metadata.namespace} ${metadata.name} ${annotations.abandon}=true`;
  const note = `The stored backup ${status?.backupID} could not be removed, so the BackupRun stays: ${why}. It is tried again every five minutes. To let the object go and leave the backup: ${command}`;
  return { type: 'Warning', reason: 'StoredBackupNotDeleted', action: 'Delete', note };
}
