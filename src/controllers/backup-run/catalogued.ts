import type { BackupRun } from '../../api/kinds.ts';
import { conditionsAfter } from '../../domain/conditions.ts';
import { type RunStatus, statusOf } from '../run-progress.ts';
import { judgeStored } from './judge-stored.ts';

/** The status of a BackupRun that was re-created from a repository; it never has a Job, whatever its policy says. */
export function cataloguedStatus(run: BackupRun, now: Date): RunStatus {
  const { report, backupID } = run.status ?? {};
  if (backupID === undefined || report === undefined || report.outcome === 'Running') {
    const message = 'The catalogue is being read, and what the manifest says comes next; else the next sync writes it';
    return statusOf(run, { state: 'Pending', reason: 'ReadingCatalogue', message }, undefined, now);
  }
  const { outcome, reason, message, startTime, completionTime } = report;
  const state = outcome === 'Succeeded' ? ('Completed' as const) : ('Failed' as const);
  const fate = { state, reason, message, ...(completionTime === undefined ? {} : { at: completionTime }) };
  const status = statusOf(run, fate, undefined, now);
  // What is said of others of its kind is not for one that may come before all of them.
  const judged = judgeStored(run, [], state);
  return {
    ...status,
    ...(startTime === undefined ? {} : { startTime }),
    conditions: [
      ...status.conditions,
      ...conditionsAfter(run.status?.conditions, judged, run.metadata.generation, now),
    ],
  };
}
