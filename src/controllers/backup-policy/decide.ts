import type { BackupPolicyStatus } from '../../api/backup-policy.ts';
import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import { conditionsAfter, findCondition, type NewCondition, rfc3339 } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { cronJobName } from '../../domain/naming.ts';
import { nextFiring } from '../../domain/schedule.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { CronJob } from '../../kube/workloads.ts';
import { backupTask } from '../backup-task.ts';
import type { AgentSettings } from '../jobs/build-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import type { VerificationOutcome } from '../verification/reconcile.ts';
import { buildCronJob } from './cron-jobs.ts';
import { judgeHooks } from './judge-hooks.ts';
import { judgeIncrements } from './judge-increments.ts';
import { newestFirst, surplusRuns } from './surplus-runs.ts';

export interface Gathered {
  readonly policy: BackupPolicy;
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly account: Refusal | undefined;
  readonly runs: readonly BackupRun[];
  readonly cronJobs: readonly CronJob[];
  /** What is to be said of the WAL. */
  readonly archiving: {
    readonly conditions: readonly NewCondition[];
    readonly restorable: BackupPolicyStatus['restorable'] | undefined;
  };
  /** What is to be said of retention. */
  readonly retention?: { readonly conditions: readonly NewCondition[] };
  /** What the backups were shown to be, and what drills have measured. */
  readonly verification?: Pick<VerificationOutcome, 'conditions' | 'facts'>;
  /** What the API server said of the CronJobs that were to be written. */
  readonly rejection?: Refusal | undefined;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface Decision {
  readonly apply: readonly Desired[];
  readonly remove: readonly CronJob[];
  readonly prune: readonly BackupRun[];
  readonly status: BackupPolicyStatus;
  readonly events: readonly EventNote[];
  /** When the status will be out of date by itself. */
  readonly lookAgainAt: Date | undefined;
  /** What is in the way is not in the caches, so that nobody tells when it is there. */
  readonly lookAgainSoon: boolean;
}

/** Everything that follows from a policy and what is around it; pure. */
export function decide(gathered: Gathered): Decision {
  const { policy, cronJobs, now, runs } = gathered;
  const wanted = wantedCronJobs(gathered);
  const refusal = isRefusal(wanted) ? wanted : gathered.rejection;
  const desired = isRefusal(wanted) ? [] : wanted;
  const names = namesToKeep(gathered, wanted);
  const next = !policy.spec.suspend && names.size > 0 ? nextOf(policy, now) : undefined;
  const conditions = conditionsAfter(
    policy.status?.conditions,
    oneOfEach([
      readiness(gathered, refusal),
      ...stalled(refusal),
      lastBackup(runs),
      ...gathered.archiving.conditions,
      ...(gathered.retention?.conditions ?? []),
      ...(gathered.verification?.conditions ?? []),
      ...judgeHooks(policy, newestFirst(runs)),
      ...judgeIncrements(policy, lastRuns(runs).server?.version),
    ]),
    policy.metadata.generation,
    now,
  );
  return {
    apply: desired.filter((cronJob) => differs(cronJob, cronJobs)),
    remove: cronJobs.filter(({ metadata }) => !names.has(metadata.name)),
    prune: surplusRuns(policy, runs),
    status: {
      observedGeneration: policy.metadata.generation,
      conditions: [...conditions],
      ...(next === undefined ? {} : { nextScheduleTime: rfc3339(next) }),
      ...lastRuns(runs),
      ...(gathered.archiving.restorable === undefined ? {} : { restorable: gathered.archiving.restorable }),
      ...gathered.verification?.facts,
    },
    events: eventsOf(policy, conditions),
    lookAgainAt: next === undefined ? undefined : new Date(next.getTime() + 1000),
    lookAgainSoon:
      refusal !== undefined &&
      (refusal === gathered.account || refusal === gathered.hosts || refusal === gathered.rejection),
  };
}

/**
 * Schedules that stood go on while something is missing that may come back (a StatefulSet that is made anew): removing a
 * CronJob would end the backups that it runs, and each backup says by itself what it does not find.
 */
function namesToKeep({ policy }: Gathered, wanted: readonly Desired[] | Refusal): ReadonlySet<string> {
  if (!isRefusal(wanted)) return new Set(wanted.map(({ metadata }) => metadata.name));
  if (!wanted.mayCome || policy.spec.suspend) return new Set();
  return new Set(policy.spec.schedules.map(({ name }) => cronJobName(policy.metadata.name, name)));
}

function wantedCronJobs({ policy, repositories, hosts, account, agent, now }: Gathered): readonly Desired[] | Refusal {
  const unusable = unusableSchedule(policy, now);
  if (unusable !== undefined) return refused('InvalidSchedule', unusable);
  const task = backupTask({ policy, repositories, hosts, execRole: agent.execRole, method: 'Logical' });
  if (isRefusal(task)) return task;
  if (account !== undefined) return account;
  const built = policy.spec.schedules.map((schedule) => buildCronJob(policy, schedule, task, agent));
  return built.find(isRefusal) ?? built.filter((cronJob): cronJob is Desired => !isRefusal(cronJob));
}

function unusableSchedule({ spec }: BackupPolicy, now: Date): string | undefined {
  for (const { name, cron, timeZone } of spec.schedules) {
    try {
      if (nextFiring(cron, timeZone, now) === undefined)
        return `Schedule ${name} never fires: '${cron}' names no day that exists. Correct it.`;
    } catch (error) {
      return `Schedule ${name} cannot be used: ${error instanceof Error ? error.message : String(error)}.`;
    }
  }
  return undefined;
}

function readiness({ policy, repositories, archiving }: Gathered, refusal: Refusal | undefined): NewCondition {
  if (refusal !== undefined)
    return { type: 'Ready', status: 'False', reason: refusal.reason, message: refusal.message };
  const { schedules, suspend } = policy.spec;
  for (const [index, { name }] of policy.spec.repositoryRefs.entries()) {
    const ready = findCondition(repositories[index]?.status?.conditions, 'Ready');
    if (ready?.status !== 'True') {
      const status = ready?.status ?? 'Unknown';
      const message = `BackupRepository ${name}: ${ready?.message ?? 'it was not probed yet'}`;
      return {
        type: 'Ready',
        status,
        reason: status === 'False' ? 'RepositoryNotReady' : 'RepositoryNotProbed',
        message,
      };
    }
  }
  const archived = archiving.conditions.find(({ type }) => type === 'ContinuousArchiving');
  // Whoever reads just this one column believes that the policy protects what it says.
  if (archived !== undefined && archived.status !== 'True' && !askedFor.has(archived.reason))
    return { ...archived, type: 'Ready' };
  if (suspend)
    return {
      type: 'Ready',
      status: 'True',
      reason: 'Suspended',
      message: 'The schedules are suspended; a BackupRun made by hand still runs',
    };
  if (schedules.length === 0)
    return {
      type: 'Ready',
      status: 'True',
      reason: 'OnDemand',
      message: 'There is no schedule; create a BackupRun for a backup',
    };
  return {
    type: 'Ready',
    status: 'True',
    reason: 'Scheduled',
    message: `${schedules.length} schedule${schedules.length === 1 ? '' : 's'}`,
  };
}

/** Two things may be in a person's way; the first is told. */
function oneOfEach(conditions: readonly NewCondition[]): readonly NewCondition[] {
  return conditions.filter(({ type }, index) => conditions.findIndex((other) => other.type === type) === index);
}

/** kstatus: present only while a person must act. */
function stalled(refusal: Refusal | undefined): readonly NewCondition[] {
  return refusal === undefined || refusal.mayCome
    ? []
    : [{ type: 'Stalled', status: 'True', reason: refusal.reason, message: refusal.message }];
}

function lastBackup(runs: readonly BackupRun[]): NewCondition {
  const type = 'LastBackupSucceeded';
  const last = newestFirst(runs).find(({ status }) => status?.phase === 'Completed' || status?.phase === 'Failed');
  if (last === undefined) return { type, status: 'Unknown', reason: 'NoBackupYet', message: 'No backup has ended yet' };
  if (last.status?.phase === 'Completed')
    return {
      type,
      status: 'True',
      reason: 'Completed',
      message: `${last.metadata.name} completed at ${last.status.completionTime}`,
    };
  const reason = findCondition(last.status?.conditions, 'Succeeded')?.reason ?? 'Failed';
  return { type, status: 'False', reason, message: `${last.metadata.name} failed: ${last.status?.error ?? ''}` };
}

function lastRuns(
  runs: readonly BackupRun[],
): Pick<BackupPolicyStatus, 'lastSuccessfulRun' | 'lastFailedRun' | 'server'> {
  const newest = (phase: string) => newestFirst(runs).find(({ status }) => status?.phase === phase);
  const [succeeded, failed] = [newest('Completed'), newest('Failed')];
  const summary = ({ metadata, status }: BackupRun) => ({
    name: metadata.name,
    ...(status?.completionTime === undefined ? {} : { completionTime: status.completionTime }),
    reason: findCondition(status?.conditions, 'Succeeded')?.reason ?? '',
  });
  return {
    ...(succeeded === undefined ? {} : { lastSuccessfulRun: summary(succeeded) }),
    ...(failed === undefined ? {} : { lastFailedRun: summary(failed) }),
    ...(succeeded?.status?.server === undefined ? {} : { server: succeeded.status.server }),
  };
}

function nextOf({ spec }: BackupPolicy, now: Date): Date | undefined {
  const times = spec.schedules.flatMap(({ cron, timeZone }) => nextFiring(cron, timeZone, now) ?? []);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

function differs(cronJob: Desired, present: readonly CronJob[]): boolean {
  const found = present.find(({ metadata }) => metadata.name === cronJob.metadata.name);
  const hash = (cronJob.metadata.annotations as Readonly<Record<string, string>>)[annotations.taskHash];
  return found?.metadata.annotations?.[annotations.taskHash] !== hash;
}

/** An Event when the policy or its archive becomes sound or unsound, or unsound for another reason; a wait is none. */
export function eventsOf({ status }: BackupPolicy, conditions: readonly NewCondition[]): readonly EventNote[] {
  return [
    { type: 'Ready', action: 'Schedule' },
    { type: 'ContinuousArchiving', action: 'Archive' },
    { type: 'RetentionApplied', action: 'Expire' },
    { type: 'IncrementsTrusted', action: 'Schedule' },
  ].flatMap(({ type, action }) => {
    const [before, after] = [findCondition(status?.conditions, type), conditions.find((each) => each.type === type)];
    const same = before?.status === after?.status && before?.reason === after?.reason;
    if (after === undefined || after.status === 'Unknown' || same) return [];
    // Told once, of what it is about.
    const told = conditions.find((each) => each.type === 'ContinuousArchiving');
    if (type === 'Ready' && told?.status === after.status && told.reason === after.reason) return [];
    const asked = after.status === 'True' || askedFor.has(after.reason);
    return [{ type: asked ? 'Normal' : 'Warning', reason: after.reason, action, note: after.message }];
  });
}

/** What a person has asked for is no fault. */
const askedFor: ReadonlySet<string> = new Set(['Suspended', 'TakingBack', 'DryRun']);
