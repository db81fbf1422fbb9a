import type { BackupRun } from '../../api/kinds.ts';
import { conditionsAfter } from '../../domain/conditions.ts';

/** A run whose backup retention has deleted from every repository that had it. */
export function isExpired({ status }: BackupRun): boolean {
  const stored = (status?.repositories ?? []).filter(({ path, state }) => path !== undefined || state === 'Stored');
  const ended = status?.phase === 'Completed' || status?.phase === 'Failed';
  return ended && stored.length > 0 && stored.every(({ state }) => state === 'Removed');
}

/** The run stays as it ended; that its backup is gone is said beside it. */
export function expiredStatus({ metadata, status }: BackupRun, now: Date) {
  const { jobName, startTime, completionTime, error = '', conditions = [] } = status ?? {};
  const wanted = {
    type: 'Expired',
    status: 'True',
    reason: 'BackupExpired',
    message: `Retention has deleted the backup ${status?.backupID} from every repository; it cannot be restored any more`,
  } as const;
  return {
    observedGeneration: metadata.generation,
    phase: 'Expired',
    conditions: [
      ...conditions.filter(({ type }) => type !== wanted.type),
      ...conditionsAfter(conditions, [wanted], metadata.generation, now),
    ],
    ...(jobName === undefined ? {} : { jobName }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    error,
  };
}
