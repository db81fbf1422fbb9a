import type { BackupPolicySpec } from '../../api/backup-policy.ts';
import type { Method } from './repository-backup.ts';

/** Whose calendar the days, weeks, months and years are of: the policy's, or that of the method's first schedule. */
export function timeZonesOf({
  retention,
  schedules,
}: Pick<BackupPolicySpec, 'retention' | 'schedules'>): Readonly<Record<Method, string>> {
  const of = (method: Method) =>
    retention?.timeZone ??
    (schedules.find((schedule) => schedule.method === method) ?? schedules[0])?.timeZone ??
    'Etc/UTC';
  return { Logical: of('Logical'), Physical: of('Physical') };
}
