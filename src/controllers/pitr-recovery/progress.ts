import type { Condition } from '../../api/condition.ts';
import type { PitrRecovery } from '../../api/kinds.ts';
import type { AgentReport } from '../../api/report.ts';
import { conditionsAfter, findCondition, type NewCondition } from '../../domain/conditions.ts';
import type { Fate } from '../../domain/job-state.ts';
import type { EventNote } from '../../kube/events.ts';
import { type RunStatus, statusOf } from '../run-progress.ts';

export type RecoveryPhase = NonNullable<NonNullable<PitrRecovery['status']>['phase']>;

/** The operator's part of a recovery's status. */
export interface RecoveryStatus extends Omit<RunStatus, 'phase'> {
  readonly phase: RecoveryPhase;
  readonly replicas?: number;
  readonly endpoint?: { readonly service: string; readonly port: number };
}

export const ownedRecoveryStatus = [
  'observedGeneration',
  'phase',
  'conditions',
  'jobName',
  'startTime',
  'completionTime',
  'replicas',
  'endpoint',
  'error',
] as const;

interface Facts {
  readonly jobName: string | undefined;
  /** Of a workload that is scaled down: remembered as long as the recovery lives. */
  readonly replicas: number | undefined;
  readonly endpoint?: RecoveryStatus['endpoint'];
  /** Under way: which part of the work it is. */
  readonly stage: RecoveryPhase;
}

export function recoveryStatus(recovery: PitrRecovery, fate: Fate, facts: Facts, now: Date): RecoveryStatus {
  const { conditions, ...status } = statusOf(recovery, fate, facts.jobName, now);
  const objectives = fate.state === 'Completed' ? objectivesMet(recovery) : undefined;
  const also =
    objectives === undefined
      ? []
      : conditionsAfter(recovery.status?.conditions, [objectives], recovery.metadata.generation, now);
  return {
    ...status,
    conditions: [...conditions, ...also],
    // Its Job waits for a node, say: that is still what it is at. Pending is what has no Job yet.
    phase: fate.state === 'Running' || (fate.state === 'Pending' && facts.jobName) ? facts.stage : fate.state,
    ...(facts.replicas === undefined ? {} : { replicas: facts.replicas }),
    ...(facts.endpoint === undefined ? {} : { endpoint: facts.endpoint }),
  };
}

/** What the agent says it is at, as a phase. */
export function stageOf({ status }: PitrRecovery): RecoveryPhase {
  switch (status?.progress?.stage) {
    case 'RestoringBase':
    case 'ReplayingWal':
    case 'Checking':
      return status.progress.stage;
    case 'Combining':
      return 'RestoringBase';
    case 'Extracting':
    case 'Stopping':
      return 'Checking';
    default:
      return 'Preparing';
  }
}

/** The agent's report, if it comes from a pod of this Job: both of a recovery's Jobs write to one place. */
export function reportOf({ status }: PitrRecovery, jobName: string): AgentReport | undefined {
  // A pod's name is its Job's, cut where it is long, and a few characters.
  return status?.report?.pod?.startsWith(jobName.slice(0, 57)) ? status.report : undefined;
}

/** An Event for each step, each trouble and the end. */
export function recoveryEvents({ status }: PitrRecovery, after: RecoveryStatus): readonly EventNote[] {
  const [before, now] = [status?.conditions, after.conditions].map((conditions) =>
    findCondition(conditions, 'Succeeded'),
  );
  if (now === undefined || now.reason === 'Starting') return [];
  if (before?.reason === now.reason && status?.phase === after.phase) return [];
  const bad = after.phase === 'Failed' || (now.status === 'Unknown' && !quiet.has(now.reason));
  const reason = now.reason === 'Running' ? after.phase : now.reason;
  const ended = { type: bad ? 'Warning' : 'Normal', reason, action: 'Recover', note: now.message } as const;
  return [ended, ...missedObjectives(status?.conditions, after.conditions)];
}

const quiet = new Set(['Running', 'Planning', 'ScalingDown', 'StartingServer', 'Finishing', 'Stopping', 'Cancelling']);

function missedObjectives(before: readonly Condition[] | undefined, after: readonly Condition[]): readonly EventNote[] {
  const now = findCondition(after, 'ObjectivesMet');
  if (now?.status !== 'False' || findCondition(before, 'ObjectivesMet')?.status === 'False') return [];
  return [{ type: 'Warning', reason: now.reason, action: 'Recover', note: now.message }];
}

function objectivesMet({ spec, status }: PitrRecovery): NewCondition | undefined {
  const { objectives, dryRun } = spec;
  if (objectives === undefined || dryRun) return undefined;
  const type = 'ObjectivesMet';
  const measured = status?.measured;
  const kinds = [
    ['rtoSeconds', 'The recovery took'],
    ['rpoSeconds', 'Of the time before the target, what was lost is'],
  ] as const;
  const asked = kinds.filter(([field]) => objectives[field] !== undefined);
  if (asked.some(([field]) => measured?.[field] === undefined))
    return {
      type,
      status: 'Unknown',
      reason: 'NotMeasured',
      message: 'The agent did not measure what objectives ask.',
    };
  const words = asked.map(
    ([field, words]) => `${words} ${measured?.[field]} s, and ${objectives[field]} s are allowed`,
  );
  const missed = asked.some(([field]) => (measured?.[field] ?? 0) > (objectives[field] ?? 0));
  return missed
    ? { type, status: 'False', reason: 'ObjectivesMissed', message: `${words.join('. ')}.` }
    : { type, status: 'True', reason: 'ObjectivesMet', message: `${words.join('. ')}.` };
}
