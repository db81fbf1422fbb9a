import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { failedVerification } from '../../domain/verification/failed.ts';

/**
 * Ended runs beyond the history limits, the oldest first. Their stored backups stay: what a repository holds is
 * retention's affair. A held run stays, and one whose deletion would delete the backup; and one that says that its backup
 * is bad, as long as there is that backup: nobody else knows.
 */
export function surplusRuns({ spec }: Pick<BackupPolicy, 'spec'>, runs: readonly BackupRun[]): readonly BackupRun[] {
  const free = newestFirst(runs).filter(
    (run) =>
      !run.spec.hold &&
      run.spec.deletionPolicy === 'Retain' &&
      run.metadata.deletionTimestamp === undefined &&
      (run.status?.phase === 'Expired' || !failedVerification(run)),
  );
  const completed = free.filter(({ status }) => status?.phase === 'Completed');
  const expired = free.filter(({ status }) => status?.phase === 'Expired');
  const failed = free.filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Cancelled');
  // One that can be restored is worth more than one that could.
  const succeeded = [...completed, ...expired];
  return [...succeeded.slice(spec.historyLimits.succeeded), ...failed.slice(spec.historyLimits.failed)];
}

export function newestFirst(runs: readonly BackupRun[]): readonly BackupRun[] {
  const time = ({ metadata, status }: BackupRun) => status?.completionTime ?? metadata.creationTimestamp;
  return [...runs].sort((a, b) => time(b).localeCompare(time(a)) || b.metadata.name.localeCompare(a.metadata.name));
}
