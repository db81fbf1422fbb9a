import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { findCondition } from '../conditions.ts';
import { duration } from '../display/quantities.ts';
import { longestInterval } from '../schedule.ts';
import type { Finding } from './finding.ts';

/** Milliseconds: the operator writes the next time a second after the one before. */
const longestSilence = 10 * 60_000;

/** What has not happened in time, of each method; the bounds are those of the alerts. */
export function* judgeAges(policy: BackupPolicy, runs: readonly BackupRun[], now: Date): Iterable<Finding> {
  const { metadata, spec, status } = policy;
  if (spec.suspend) return;
  const due = Date.parse(status?.nextScheduleTime ?? '');
  if (now.getTime() - due > longestSilence)
    yield {
      level: 'unknown',
      words:
        'A backup was due, and the operator has not said the next time since: it may not be running, and then nothing here is new.',
      reason: 'OperatorSilent',
      ...(status?.nextScheduleTime === undefined ? {} : { since: status.nextScheduleTime }),
    };
  for (const method of ['Physical', 'Logical'] as const) {
    const own = runs.filter((run) => run.spec.method === method);
    const [good, failed] = [newestEnd(own, 'Completed'), newestEnd(own, 'Failed')];
    yield* failure(policy, method, good, failed);
    const interval = longestInterval(
      spec.schedules.filter((schedule) => schedule.method === method),
      now,
    );
    if (interval === undefined) continue;
    const since = good?.status?.completionTime ?? metadata.creationTimestamp;
    const age = (now.getTime() - Date.parse(since)) / 1000;
    if (age <= 1.1 * interval + 3600) continue;
    yield {
      level: 'failing',
      words:
        good === undefined
          ? `No ${method.toLowerCase()} backup has succeeded, though one should every ${duration(interval)}.`
          : `The newest ${method.toLowerCase()} backup is ${duration(age)} old; one should succeed every ${duration(interval)}.`,
      reason: 'BackupOverdue',
      since,
    };
  }
}

/** The condition LastBackupSucceeded tells of the newest run of all; the other method's may have failed before it. */
function* failure(
  { status }: BackupPolicy,
  method: string,
  good: BackupRun | undefined,
  failed: BackupRun | undefined,
): Iterable<Finding> {
  const since = failed?.status?.completionTime;
  if (failed === undefined || since === undefined || since <= (good?.status?.completionTime ?? '')) return;
  if (findCondition(status?.conditions, 'LastBackupSucceeded')?.status === 'False') return;
  yield {
    level: 'failing',
    words: `The last ${method.toLowerCase()} backup, ${failed.metadata.name}, failed: ${failed.status?.error || 'nobody has said why.'}`,
    reason: findCondition(failed.status?.conditions, 'Succeeded')?.reason ?? 'Failed',
    since,
  };
}

function newestEnd(runs: readonly BackupRun[], phase: string): BackupRun | undefined {
  let newest: BackupRun | undefined;
  for (const run of runs)
    if (
      run.status?.phase === phase &&
      run.status.completionTime !== undefined &&
      run.status.completionTime > (newest?.status?.completionTime ?? '')
    )
      newest = run;
  return newest;
}
