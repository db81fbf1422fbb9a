import { Failure, transient } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import { readManifest } from '../../repository/backups.ts';
import { alive, dropTarget, type Target } from '../backup/targets.ts';
import type { BackupPlan } from './plan-increment.ts';

/**
 * Somebody may have deleted what an increment stands on while it was made: then it would be nothing there, and is not kept.
 * A repository of which that was not known is left out as well.
 */
export async function requireParents(plan: BackupPlan, targets: readonly Target[], signal: AbortSignal): Promise<void> {
  if (plan.type === 'Full') return;
  for (const target of alive(targets)) {
    const members = plan.digests.get(target.name);
    try {
      if (members === undefined) throw parentGone(plan.parent.backupID, target.name);
      for (const [backupID, checksum] of members) await requireMember(target, backupID, checksum, signal);
    } catch (error) {
      dropTarget(targets, target, error, signal);
    }
  }
}

async function requireMember(
  { name, store, location }: Target,
  backupID: string,
  checksum: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await readManifest(store, backupPath({ ...location, backupID }), { signal, expectedSha256: checksum });
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable) throw error;
    throw parentGone(backupID, name, error);
  }
}

function parentGone(backupID: string, repository: string, cause?: unknown): Failure {
  return transient(
    'ParentGone',
    `Backup ${backupID}, which this increment stands on, was removed from the repository ${repository} or changed there while it was made, so it was not kept. The next try stands on another backup, or is full.`,
    cause,
  );
}
