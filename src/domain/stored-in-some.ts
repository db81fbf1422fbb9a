import type { BackupRunStatus } from '../api/backup-run.ts';
import { findCondition } from './conditions.ts';

export const storedInSome = 'StoredInSome';

/** Whole, but not in every repository: it failed by its promise, and can be restored from where it is. */
export function isStoredInSome(
  status: Pick<BackupRunStatus, 'phase' | 'conditions' | 'repositories'> | undefined,
): boolean {
  return (
    status?.phase === 'Failed' &&
    findCondition(status.conditions, 'Succeeded')?.reason === storedInSome &&
    (status.repositories ?? []).some(({ state }) => state === 'Stored')
  );
}
