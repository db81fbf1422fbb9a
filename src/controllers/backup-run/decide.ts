import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import { conditionsAfter, findCondition, type NewCondition } from '../../domain/conditions.ts';
import { type Fate, fateOf } from '../../domain/job-state.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels, runningJobFinalizer, storedBackupFinalizer } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import { backupTask } from '../backup-task.ts';
import { type AgentSettings, buildJob, ownerOf, policyLabels } from '../jobs/build-job.ts';
import type { Created } from '../jobs/create-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, missing, type Refusal, refused } from '../refusal.ts';
import { eventsOf, hasEnded, type RunStatus, refusedFate, statusOf } from '../run-progress.ts';
import { hooksAtEnd, hooksPending, isPending } from './hooks/decide.ts';
import { judgeStored, warningsOf } from './judge-stored.ts';

export interface Gathered {
  readonly run: BackupRun;
  /** Undefined where there is none; a refusal where it cannot be read. */
  readonly policy: BackupPolicy | Refusal | undefined;
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly account: Refusal | undefined;
  /** The other runs of the policy. */
  readonly others: readonly BackupRun[];
  readonly job: FoundJob | undefined;
  /** The API server has the Job, though the cache has not heard of it: a run is not given up for a slow watch. */
  readonly jobExists: boolean;
  /** Pods of the Job that have not ended, also after the Job itself is gone. */
  readonly activePods: readonly Pod[];
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface Decision {
  readonly finalizers: readonly string[];
  readonly create: Desired | undefined;
  readonly removeJob: boolean;
  readonly status: RunStatus | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** What becomes of a run that is not being deleted; pure. */
export function decide(gathered: Gathered): Decision {
  const { run, job, activePods, now } = gathered;
  if (hasEnded(run)) return settled(run);
  const cancelled = run.spec.cancel;
  const name = runJobName(run);
  if (cancelled && !mayHaveCompleted(gathered)) {
    // The pods are told to end by the deletion of their Job, clean up, and are waited for: only then is nothing left.
    if (job !== undefined && job.view.finished === undefined) return { ...next(gathered, cancelling), removeJob: true };
    if (gathered.jobExists) return next(gathered, cancelling, 2_000);
    if (activePods.length > 0) return next(gathered, cancelling);
    return next(gathered, { state: 'Cancelled', reason: 'Cancelled', message: 'It was cancelled' });
  }
  if (job !== undefined) return next(gathered, fateOf(job.view, run.status?.report, cancelled));
  // The Job was seen before, or its agent has spoken: then it is gone, and is not made a second time.
  if (hadJob(run)) {
    if (gathered.jobExists) return next(gathered, unseen(run), 2_000);
    return activePods.length > 0
      ? next(gathered, stopping)
      : next(gathered, fateOf(undefined, run.status?.report, cancelled));
  }
  const made = makeJob(gathered, name);
  if (isRefusal(made)) {
    // A place in the queue is waited for as long as it takes, and the end of the run ahead tells; what is missing, a minute.
    if (made.reason === 'Queued' || made.reason === 'AwaitingArchiving')
      return next(gathered, { state: 'Pending', reason: made.reason, message: made.message }, 60_000);
    return next(gathered, refusedFate(made, run, now), made.mayCome ? 5_000 : undefined);
  }
  return { ...next(gathered, starting, undefined, name), create: made };
}

/** What becomes of a run whose Job was not made after all. */
export function decideUnmade(gathered: Gathered, why: Exclude<Created, 'made'> | Refusal): Decision {
  if (why === 'waiting') return next(gathered, waiting, 2_000);
  return next(gathered, refusedFate(why, gathered.run, gathered.now), why.mayCome ? 5_000 : undefined);
}

/** A scheduled run has its Job's name; a hand-made one gives the Job its own. */
export function runJobName(run: Pick<BackupRun, 'metadata'>): string {
  return isScheduled(run) ? run.metadata.name : jobName(undefined, run.metadata.name);
}

export function isScheduled({ metadata }: Pick<BackupRun, 'metadata'>): boolean {
  return metadata.labels?.[labels.schedule] !== undefined;
}

const cancelling: Fate = {
  state: 'Running',
  reason: 'Cancelling',
  message: 'It is being cancelled: the agent ends and removes what it wrote',
};
const starting: Fate = { state: 'Pending', reason: 'Starting', message: 'Its Job is being made' };
const waiting: Fate = {
  state: 'Pending',
  reason: 'Starting',
  message: 'The Job of an earlier BackupRun of its name is being removed',
};

/** The Job is there, and its news is on its way: until then all is as it was. */
function unseen({ status }: BackupRun): Fate {
  return status?.phase === 'Running'
    ? { state: 'Running', reason: 'Running', message: 'The agent is at work' }
    : starting;
}
const stopping: Fate = { state: 'Running', reason: 'Stopping', message: 'Its Job is gone; its pod is ending' };

/** A schedule's run is made from a Job; a hand-made one once had one if its status says so. */
export function hadJob(run: BackupRun): boolean {
  return isScheduled(run) || run.status?.jobName !== undefined || run.status?.report !== undefined;
}

function mayHaveCompleted({ run, job }: Gathered): boolean {
  return run.status?.report?.outcome === 'Succeeded' || job?.view.finished !== undefined;
}

/** What has ended is final. */
export function settled(run: BackupRun): Decision {
  return {
    // What comes after its end goes before the object.
    finalizers: finalizersOf(run, hooksPending(run)),
    create: undefined,
    removeJob: false,
    status: undefined,
    events: [],
    lookAgainMilliseconds: undefined,
  };
}

function next(gathered: Gathered, fate: Fate, lookAgainMilliseconds?: number, made?: string): Decision {
  const { run, now } = gathered;
  const knownJob = gathered.job === undefined ? (made ?? run.status?.jobName) : runJobName(run);
  const status = statusOf(run, fate, knownJob, now);
  const active = fate.state === 'Pending' || fate.state === 'Running';
  const judged = [...judge(gathered, fate), ...hooksAtEnd(gathered, fate.state)];
  const before = run.status?.conditions;
  return {
    finalizers: finalizersOf(run, active || isPending(judged)),
    create: undefined,
    removeJob: false,
    status: {
      ...status,
      conditions: [...status.conditions, ...conditionsAfter(before, judged, run.metadata.generation, now)],
    },
    events: [...eventsOf(run, status, 'Backup'), ...warningsOf(before, judged)],
    lookAgainMilliseconds,
  };
}

/** Of a run that failed for some of its databases, the others are stored. */
function judge({ run, others }: Gathered, { state }: Fate): readonly NewCondition[] {
  if (state !== 'Completed' && state !== 'Failed') return [];
  const isStored = (run.status?.repositories ?? []).some((each) => each.state === 'Stored');
  return isStored ? judgeStored(run, others, state) : [];
}

function finalizersOf({ metadata, spec }: BackupRun, active: boolean): readonly string[] {
  const foreign = (metadata.finalizers ?? []).filter(
    (name) => name !== runningJobFinalizer && name !== storedBackupFinalizer,
  );
  return [
    ...foreign,
    ...(active ? [runningJobFinalizer] : []),
    ...(spec.deletionPolicy === 'Delete' ? [storedBackupFinalizer] : []),
  ];
}

function makeJob(gathered: Gathered, name: string): Desired | Refusal {
  const { run, policy, repositories, hosts, account, agent } = gathered;
  if (policy === undefined)
    return missing(
      'PolicyNotFound',
      `BackupPolicy ${run.metadata.namespace}/${run.spec.policyRef.name} does not exist. Create it, or correct policyRef in a new BackupRun.`,
    );
  if (isRefusal(policy)) return policy;
  const task = backupTask({ ...run.spec, policy, repositories, hosts, execRole: agent.execRole });
  if (isRefusal(task)) return task;
  if (account !== undefined) return account;
  const archiving = archivingAwaited(run, policy);
  if (archiving !== undefined) return archiving;
  const ahead = gathered.others.find((other) => isAhead(other, run));
  if (ahead !== undefined)
    return {
      reason: 'Queued',
      message: `It waits for ${ahead.metadata.name}: one ${run.spec.method} backup of a policy runs at a time`,
      mayCome: true,
    };
  const job = buildJob({
    task,
    template: policy.spec.jobTemplate,
    agent,
    runName: run.metadata.name,
    labels: { ...policyLabels(policy.metadata.name), [labels.run]: labelValue(run.metadata.name) },
    ttlSecondsAfterFinished: 7 * 86_400,
  });
  if (isRefusal(job)) return job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: run.metadata.namespace, ...job.metadata, ownerReferences: [ownerOf(run)] },
    spec: job.spec,
  };
}

const awaited: ReadonlySet<string> = new Set([
  'Starting',
  'SettingUp',
  'Restarting',
  'RestartNeeded',
  'Connecting',
  'TakingBack',
  'WatcherSilent',
  // Not suspended any more, and not judged anew yet.
  'Suspended',
]);

/** While the server is being set up for it, a backup that needs the archive waits; what stands in the way, it does not. */
function archivingAwaited(run: BackupRun, { spec, status }: BackupPolicy): Refusal | undefined {
  if (run.spec.method !== 'Physical' || spec.physical.walMethod !== 'Archive') return undefined;
  if (spec.walArchiving.mode === 'None')
    return refused(
      'ArchivingNotConfigured',
      'physical.walMethod is Archive and walArchiving.mode is None: the backup would lack the WAL without which it cannot be restored. Set walArchiving.mode, or physical.walMethod: Stream, in the BackupPolicy.',
    );
  if (spec.suspend)
    return refused(
      'ArchivingSuspended',
      'The BackupPolicy is suspended, so its WAL is not archived, and physical.walMethod is Archive: the backup would lack the WAL without which it cannot be restored. Set suspend: false, or physical.walMethod: Stream, and make a new BackupRun.',
    );
  const condition = findCondition(status?.conditions, 'ContinuousArchiving');
  if (condition !== undefined && !awaited.has(condition.reason)) return undefined;
  const message = condition?.message ?? 'The archive is being set up';
  return { reason: 'AwaitingArchiving', message: `It waits for the archive: ${message}`, mayCome: true };
}

/** One that runs is ahead; of two that wait, the one that was created first. */
function isAhead(other: BackupRun, run: BackupRun): boolean {
  if (other.spec.method !== run.spec.method) return false;
  // What the hooks of one have stopped is started again before the hooks of the next stop it.
  if (hooksPending(other)) return true;
  if (hasEnded(other) || other.metadata.deletionTimestamp !== undefined) return false;
  if (other.status?.jobName !== undefined || isScheduled(other)) return true;
  const [theirs, ours] = [other.metadata.creationTimestamp, run.metadata.creationTimestamp];
  return theirs < ours || (theirs === ours && other.metadata.name < run.metadata.name);
}
