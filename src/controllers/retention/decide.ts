import type { BackupPolicy } from '../../api/kinds.ts';
import { findCondition, type NewCondition } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { hasRule } from '../../domain/retention/rules.ts';
import { afterWrongClock, isYetToCome } from '../../domain/yet-to-come.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import { buildExpireJob, type ExpireParts } from './build-expire-job.ts';
import { deletionEvents } from './deletion-events.ts';
import { lastWord, retentionApplied } from './judge.ts';

export interface GatheredRetention extends ExpireParts {
  readonly account: Refusal | undefined;
  /** The last Job, or the one that runs. */
  readonly job: FoundJob | undefined;
  /** A restore or recovery of the namespace that has not ended: it may read what is to be deleted. */
  readonly reader: string | undefined;
  /** Why the Job could not be made. */
  readonly rejection?: Refusal | undefined;
}

export interface RetentionDecision {
  readonly create: Desired | undefined;
  /** The Job that is there: it ended and makes room for the next, or it runs by what the policy says no more. */
  readonly removeJob: boolean;
  /** What the Job has done becomes Events, and is not told again. */
  readonly tell: boolean;
  readonly conditions: readonly NewCondition[];
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** Milliseconds. Time alone makes backups old: without any other cause it is planned anew this often. */
const planAnewAfter = 6 * 3_600_000;
const tryAgainAfter = 3_600_000;
/** The node that plans may have a clock that is behind: what is due here is not due there, and is planned once more. */
const leastBetweenPlans = 60_000;
const readerPause = 60_000;

const nothing: RetentionDecision = {
  create: undefined,
  removeJob: false,
  tell: false,
  conditions: [],
  events: [],
  lookAgainMilliseconds: undefined,
};

/** Whether the next plan is to be made or carried out; pure. One Job at a time. */
export function decideRetention(gathered: GatheredRetention): RetentionDecision {
  const { policy, job } = gathered;
  const { suspend, retention } = policy.spec;
  const isActive = job !== undefined && job.view.finished === undefined;
  if (retention === undefined) return { ...nothing, removeJob: job !== undefined };
  const hindrance = hindranceOf(gathered);
  const conditions = [retentionApplied(gathered, hindrance)];
  const tell = job !== undefined && isUntold(job) && lastWord(gathered) !== undefined;
  const events = tell ? deletionEvents(policy) : [];
  const told = { ...nothing, conditions, tell, events };
  if (isActive) return { ...told, removeJob: suspend || hindrance !== undefined || !isOfThisGeneration(job, policy) };
  if (suspend || (hindrance !== undefined && hindrance !== gathered.rejection)) return told;
  // Its last words are on their way: it is told before it is replaced.
  if (job !== undefined && isUntold(job) && !tell) return { ...told, lookAgainMilliseconds: 2_000 };
  const wait = dueAt(gathered) - gathered.now.getTime();
  if (wait > 0) return { ...told, lookAgainMilliseconds: wait };
  if (gathered.reader !== undefined)
    return { ...told, conditions: conditions.map(waitingFor(gathered.reader)), lookAgainMilliseconds: readerPause };
  if (job !== undefined) return { ...told, removeJob: true, lookAgainMilliseconds: 2_000 };
  const made = buildExpireJob(gathered);
  if (isRefusal(made)) return { ...told, conditions: [retentionApplied(gathered, made)] };
  return { ...told, create: made };
}

function waitingFor(reader: string) {
  return (condition: NewCondition): NewCondition => ({
    ...condition,
    message: `${condition.message} The next Job waits until ${reader} has ended, which may read what is to go.`,
  });
}

/** What stands in the way of every plan. */
function hindranceOf({ policy, repositories, account, rejection }: GatheredRetention): Refusal | undefined {
  const { metadata, spec } = policy;
  if (spec.retention !== undefined && !hasRule(spec.retention))
    return refused(
      'NoRule',
      'spec.retention has no rule that lets anything go: minBackups alone only keeps. Nothing is deleted. Set recoveryWindow or one of keepLast, keepDaily, keepWeekly, keepMonthly and keepYearly, or take spec.retention out.',
    );
  const stores = repositoryTasks(metadata.namespace, spec.repositoryRefs, repositories);
  if (!isList(stores)) return stores;
  const unready = repositories.find((each) => findCondition(each?.status?.conditions, 'Ready')?.status !== 'True');
  if (unready !== undefined)
    return {
      reason: 'RepositoryNotReady',
      message: `BackupRepository ${unready.metadata.name} is not ready, so nothing is planned and nothing is deleted. See its own condition.`,
      mayCome: true,
    };
  return account ?? rejection;
}

/** Milliseconds since 1970. */
function dueAt(gathered: GatheredRetention): number {
  const { policy, runs, job } = gathered;
  const failedAt = failureTime(gathered);
  const sameGeneration = job === undefined || isOfThisGeneration(job, policy);
  if (failedAt !== undefined && sameGeneration && !isYetToCome(failedAt, gathered.now)) return failedAt + tryAgainAfter;
  const { plannedTime, generation, nextDueTime } = policy.status?.retention ?? {};
  if (plannedTime === undefined || generation !== policy.metadata.generation) return 0;
  const planned = Date.parse(plannedTime);
  if (isYetToCome(planned, gathered.now)) return afterWrongClock(job?.view.finished?.time, tryAgainAfter, gathered.now);
  const ends = runs.flatMap(({ status }) =>
    status?.phase === 'Completed' && status.completionTime !== undefined ? [Date.parse(status.completionTime)] : [],
  );
  if (ends.some((end) => end > planned)) return 0;
  const next = nextDueTime === undefined ? Number.POSITIVE_INFINITY : Date.parse(nextDueTime);
  return Math.min(Math.max(next, planned + leastBetweenPlans), planned + planAnewAfter);
}

function failureTime(gathered: GatheredRetention): number | undefined {
  const word = lastWord(gathered);
  if (word === undefined || word.outcome === 'Succeeded' || word.reason === 'PolicyChanged') return undefined;
  const at = gathered.job?.view.finished?.time ?? word.completionTime;
  return at === undefined || Number.isNaN(Date.parse(at)) ? gathered.now.getTime() : Date.parse(at);
}

function isOfThisGeneration({ job }: FoundJob, { metadata }: BackupPolicy): boolean {
  return job.metadata.annotations?.[annotations.generation] === String(metadata.generation);
}

function isUntold({ job, view }: FoundJob): boolean {
  return view.finished !== undefined && job.metadata.annotations?.[annotations.told] !== 'true';
}
