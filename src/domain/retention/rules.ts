import type { Retention } from '../../api/retention.ts';
import type { Period } from './calendar.ts';
import { periodNames } from './calendar.ts';
import type { RepositoryBackup } from './repository-backup.ts';

const calendarRules = [
  ['keepDaily', 'Day'],
  ['keepWeekly', 'Week'],
  ['keepMonthly', 'Month'],
  ['keepYearly', 'Year'],
] as const satisfies readonly (readonly [keyof Retention, Period])[];

/** Without a rule nobody has said what may go: minBackups alone keeps, and asks for nothing to be deleted. */
export function hasRule(retention: Retention): boolean {
  const counts = [retention.keepLast, ...calendarRules.map(([rule]) => retention[rule])];
  return retention.recoveryWindow !== undefined || counts.some((count) => (count ?? 0) > 0);
}

/**
 * The rules by which each backup stays, of one method's complete backups, the newest first. A period without a backup is
 * not counted: after a standstill the last backups of the periods before it are still there.
 */
export function countingRules(
  backups: readonly RepositoryBackup[],
  retention: Retention,
  timeZone: string,
): ReadonlyMap<RepositoryBackup, readonly string[]> {
  const kept = new Map<RepositoryBackup, string[]>();
  const keep = (backup: RepositoryBackup, rule: string) => kept.set(backup, [...(kept.get(backup) ?? []), rule]);
  for (const backup of backups.slice(0, retention.minBackups)) keep(backup, 'minBackups');
  for (const backup of backups.slice(0, retention.keepLast ?? 0)) keep(backup, 'keepLast');
  const nameOf = periodNames(timeZone);
  for (const [rule, period] of calendarRules) {
    const count = retention[rule] ?? 0;
    const seen = new Set<string>();
    for (const backup of backups) {
      const name = nameOf(backup.startTime, period);
      if (seen.has(name)) continue;
      if (seen.size === count) break;
      seen.add(name);
      keep(backup, `${rule} (${name})`);
    }
  }
  return kept;
}
