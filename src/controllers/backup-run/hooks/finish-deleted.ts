import type { BackupPolicy, BackupRun } from '../../../api/kinds.ts';
import { isNamespaceTerminating } from '../../../kube/api-error.ts';
import type { Cached, Context } from '../../context.ts';
import type { Refusal } from '../../refusal.ts';
import { hasEnded, ownedRunStatus } from '../../run-progress.ts';
import { writeStatus } from '../../write-status.ts';
import { endDeleted } from './end-deleted.ts';
import { runOutstandingHooks } from './reconcile.ts';

/** A deletion in the foreground takes the Job of the hooks away as well: nobody waits for ever. */
const longest = 3_600_000;
const soon = 2_000;

/**
 * A run that is deleted has ended, and what its hooks have stopped is to be started again, before the object goes. Gives
 * when to look again, in milliseconds; undefined where nothing remains to be done.
 */
export async function finishDeleted(
  context: Context,
  run: Cached<BackupRun>,
  { policy, isOver }: { readonly policy: BackupPolicy | Refusal | undefined; readonly isOver: boolean },
  signal: AbortSignal,
): Promise<number | undefined> {
  const { namespace, name, deletionTimestamp } = run.metadata;
  const since = context.clock.now().getTime() - Date.parse(String(deletionTimestamp));
  if (since > longest) return undefined;
  try {
    if (hasEnded(run)) return await runOutstandingHooks(context, run, signal);
    const status = isOver ? endDeleted(run, policy, context.clock.now()) : undefined;
    if (status === undefined) return undefined;
    await writeStatus(context, run, ownedRunStatus, { ...status }, signal);
    return soon;
  } catch (error) {
    if (!isNamespaceTerminating(error)) throw error;
    context.log.warn(
      { namespace, run: name },
      'The namespace goes away, so the hooks after the run are not run any more',
    );
    return undefined;
  }
}
