import type { BackupRun } from '../../api/kinds.ts';
import { findCondition } from '../conditions.ts';

/** Its backup was restored, and found bad: nothing is to rest on it. */
export function failedVerification({ status }: Pick<BackupRun, 'status'>): boolean {
  return findCondition(status?.conditions, 'Verified')?.status === 'False';
}
