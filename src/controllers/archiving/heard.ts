import type { WalStatus } from '../../api/backup-policy.ts';
import type { WorkloadObject } from '../pitr-recovery/server.ts';

/** The watcher writes at least once a minute; what it said before this is not known to be so still. */
export const staleMilliseconds = 300_000;

/** A word from the future is as little known to be so: whoever said it may have ended since, and nobody would notice. */
export function isFresh({ report }: WalStatus, now: Date): boolean {
  return report !== undefined && Math.abs(now.getTime() - Date.parse(report.time)) < staleMilliseconds;
}

/** Whether the last look saw the settings in this workload's server: one of the same name may have been there before. */
export function isSaidOf({ metadata }: WorkloadObject, { setting, systemIdentifier, report }: WalStatus): boolean {
  if (setting?.time === undefined || setting.time !== report?.time) return false;
  const created = metadata['creationTimestamp'];
  const isLater = typeof created !== 'string' || Date.parse(setting.time) >= Date.parse(created);
  return isLater && setting.systemIdentifier === systemIdentifier;
}
