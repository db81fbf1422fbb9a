import type { Condition } from '../api/condition.ts';
import { conditionsAfter, findCondition, rfc3339 } from '../domain/conditions.ts';
import type { Fate } from '../domain/job-state.ts';
import { standing } from '../domain/standing.ts';
import type { EventNote } from '../kube/events.ts';
import { rememberTrouble } from './jobs/remember-trouble.ts';
import { patienceMilliseconds, type Refusal } from './refusal.ts';

export type RunPhase = 'Pending' | 'Running' | 'Completed' | 'Failed' | 'Cancelled';

/** The operator's part of the status of a BackupRun or RestoreRequest. */
export interface RunStatus {
  readonly observedGeneration: number;
  readonly phase: RunPhase;
  readonly conditions: readonly Condition[];
  readonly jobName?: string;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly error: string;
}

export const ownedRunStatus = [
  'observedGeneration',
  'phase',
  'conditions',
  'jobName',
  'startTime',
  'completionTime',
  'error',
] as const;

interface Ran {
  readonly metadata: { readonly generation: number; readonly creationTimestamp: string };
  readonly status?: {
    readonly phase?: string | undefined;
    readonly conditions?: readonly Condition[] | undefined;
    readonly startTime?: string | undefined;
    readonly completionTime?: string | undefined;
    readonly jobName?: string | undefined;
  };
}

/** Final: what has ended is never looked at again. */
export function hasEnded({ status }: Ran): boolean {
  return (
    status?.phase === 'Completed' ||
    status?.phase === 'Failed' ||
    status?.phase === 'Cancelled' ||
    status?.phase === 'Expired'
  );
}

/** A refusal as a fate: what may still come is waited for, for a minute from the object's creation. */
export function refusedFate({ reason, message, mayCome }: Refusal, { metadata }: Ran, now: Date): Fate {
  const waited = now.getTime() - Date.parse(metadata.creationTimestamp);
  return mayCome && waited < patienceMilliseconds
    ? { state: 'Pending', reason, message }
    : { state: 'Failed', reason, message };
}

/** The status that follows from a fate. `phase` repeats what the condition Succeeded says, for the printer. */
export function statusOf(run: Ran, seen: Fate, jobName: string | undefined, now: Date): RunStatus {
  const fate = rememberTrouble(seen, findCondition(run.status?.conditions, 'Succeeded'));
  const status =
    fate.state === 'Completed' ? 'True' : fate.state === 'Failed' || fate.state === 'Cancelled' ? 'False' : 'Unknown';
  const succeeded = { type: 'Succeeded', status, reason: fate.reason || fate.state, message: fate.message } as const;
  const ended = status !== 'Unknown';
  const started = run.status?.startTime ?? ('since' in fate ? fate.since : undefined);
  const at = 'at' in fate && fate.at ? fate.at : rfc3339(now);
  return {
    observedGeneration: run.metadata.generation,
    phase: fate.state,
    conditions: conditionsAfter(
      run.status?.conditions,
      [succeeded, ...standing(succeeded)],
      run.metadata.generation,
      now,
    ),
    ...(jobName === undefined ? {} : { jobName }),
    ...(started === undefined ? {} : { startTime: started }),
    ...(ended ? { completionTime: run.status?.completionTime ?? at } : {}),
    error: fate.state === 'Failed' ? fate.message.slice(0, 4096) : '',
  };
}

/** An Event when a run ends, starts, or begins to wait for something that a person may have to do. */
export function eventsOf(run: Ran, after: RunStatus, action: string): readonly EventNote[] {
  const [before, now] = [
    findCondition(run.status?.conditions, 'Succeeded'),
    findCondition(after.conditions, 'Succeeded'),
  ];
  if (now === undefined || (before?.reason === now.reason && run.status?.phase === after.phase)) return [];
  if (now.reason === 'Starting') return [];
  const quiet =
    now.status !== 'False' &&
    ['Running', 'Queued', 'Completed'].includes(after.phase === 'Pending' ? now.reason : after.phase);
  return [
    {
      type: quiet || after.phase === 'Cancelled' ? 'Normal' : 'Warning',
      reason: now.reason,
      action,
      note: now.message,
    },
  ];
}
