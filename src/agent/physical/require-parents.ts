import { Failure, transient } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import { readManifest } from '../../repository/backups.ts';
import type { Target } from '../backup/targets.ts';
import type { BackupPlan } from './plan-increment.ts';

/** Somebody may have deleted what an increment stands on while it was made: then it would be nothing, and is not kept. */
export async function requireParents(plan: BackupPlan, targets: readonly Target[], signal: AbortSignal): Promise<void> {
  if (plan.type === 'Full') return;
  for (const { name, store, location } of targets) {
    for (const { backupID, checksum } of plan.members) {
      try {
        await readManifest(store, backupPath({ ...location, backupID }), { signal, expectedSha256: checksum });
      } catch (error) {
        if (!(error instanceof Failure) || error.retryable) throw error;
        throw transient(
          'ParentGone',
          `Backup ${backupID}, which this increment stands on, was removed from the repository ${name} or changed there while it was made, so it was not kept. The next try stands on another backup, or is full.`,
          error,
        );
      }
    }
  }
}
