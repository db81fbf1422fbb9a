import type { BackupPolicy, BackupRun } from '../../../api/kinds.ts';
import { conditionsAfter } from '../../../domain/conditions.ts';
import { fateOf } from '../../../domain/job-state.ts';
import { runningJobFinalizer } from '../../../domain/labels.ts';
import type { Refusal } from '../../refusal.ts';
import { type RunStatus, statusOf } from '../../run-progress.ts';
import { hooksAtEnd } from './decide.ts';

/**
 * The end of a run that was deleted before it had one, where hooks come after it; undefined where nothing does, or where
 * no agent has been at work, so that nothing was stopped.
 */
export function endDeleted(
  run: BackupRun,
  policy: BackupPolicy | Refusal | undefined,
  now: Date,
): RunStatus | undefined {
  const { metadata, status: before } = run;
  const isKept = (metadata.finalizers ?? []).includes(runningJobFinalizer);
  if (!isKept || (before?.jobName === undefined && before?.report === undefined)) return undefined;
  const fate = fateOf(undefined, before.report, true);
  const hooks = hooksAtEnd({ run, policy }, fate.state);
  if (!hooks.some(({ status }) => status === 'Unknown')) return undefined;
  const status = statusOf(run, fate, before.jobName, now);
  const after = conditionsAfter(before.conditions, hooks, metadata.generation, now);
  return { ...status, conditions: [...status.conditions, ...after] };
}
