import type { BackupRunStatus } from '../../api/backup-run.ts';
import type { BackupRun } from '../../api/kinds.ts';
import type { LastVerification } from '../../api/verification.ts';
import { conditionsAfter, findCondition } from '../../domain/conditions.ts';

export interface Mark {
  readonly run: BackupRun;
  /** undefined where it was found bad. */
  readonly verified: BackupRunStatus['verified'];
  readonly conditions: NonNullable<BackupRunStatus['conditions']>;
}

/** What is to stand on the BackupRuns that were verified, and does not yet. An Unknown marks nothing. */
export function marksOf(verdicts: readonly LastVerification[], runs: readonly BackupRun[], now: Date): readonly Mark[] {
  const newestFirst = verdicts.toSorted((one, other) => (other.time ?? '').localeCompare(one.time ?? ''));
  const done = new Set<string>();
  const marks: Mark[] = [];
  for (const { run: name, time, outcome, restoreSeconds, name: by, reason, message } of newestFirst) {
    const run = runs.find(({ metadata }) => metadata.name === name);
    if (run === undefined || time === undefined || (outcome !== 'Good' && outcome !== 'Bad')) continue;
    if (done.has(run.metadata.name)) continue;
    done.add(run.metadata.name);
    const condition = {
      type: 'Verified',
      status: outcome === 'Good' ? 'True' : 'False',
      reason: outcome === 'Good' ? 'Verified' : (reason ?? 'VerificationFailed'),
      message:
        outcome === 'Good'
          ? `It was restored and found good by ${by}`
          : `It was found bad by ${by}, and nothing rests on it any more: ${message ?? ''}`,
    } as const;
    const before = findCondition(run.status?.conditions, condition.type);
    if (before?.status === condition.status && before.message === condition.message) continue;
    // What is known is newer: the verification that found it out is gone.
    if (before !== undefined && before.status !== condition.status && before.lastTransitionTime > time) continue;
    const good = { time, ...(restoreSeconds === undefined ? {} : { restoreSeconds }), by };
    marks.push({
      run,
      verified: outcome === 'Good' ? good : undefined,
      conditions: [...conditionsAfter(run.status?.conditions, [condition], run.metadata.generation, now)],
    });
  }
  return marks;
}
