import type { BackupRun } from '../../api/kinds.ts';
import { isCatalogued } from '../../domain/catalogue/catalogued-run.ts';
import { conditionsAfter, findCondition } from '../../domain/conditions.ts';
import type { EventNote } from '../../kube/events.ts';

const type = 'Expired';

/** A run whose backup is in none of the repositories any more that had it: retention has deleted it, or it is lost. */
export function isExpired({ status }: BackupRun): boolean {
  const stored = storedIn(status);
  const ended = status?.phase === 'Completed' || status?.phase === 'Failed';
  return ended && stored.length > 0 && stored.every(({ state }) => state === 'Removed');
}

/**
 * A run that was re-created for a backup goes with the backup, unless somebody holds it: then it stays, and says so. One
 * that was made here is the record of what was done.
 */
export function isVanished(run: BackupRun): boolean {
  return isCatalogued(run) && isExpired(run) && isLost(run) && !run.spec.hold;
}

/** A lost backup that lies where it lay: the bucket was brought back. */
export function isFoundAgain({ status }: BackupRun): boolean {
  const reason = findCondition(status?.conditions, type)?.reason;
  return (
    status?.phase === 'Expired' && reason === 'BackupLost' && storedIn(status).some(({ state }) => state === 'Stored')
  );
}

/** The run stays as it ended; that its backup is gone is said beside it. */
export function expiredStatus(run: BackupRun, now: Date) {
  const { metadata, status } = run;
  const { conditions = [] } = status ?? {};
  const wanted = { type, status: 'True', ...(isLost(run) ? lost(run) : expired(run)) } as const;
  return {
    ...kept(run),
    phase: 'Expired',
    conditions: [
      ...conditions.filter((each) => each.type !== type),
      ...conditionsAfter(conditions, [wanted], metadata.generation, now),
    ],
  };
}

export function restoredStatus(run: BackupRun) {
  const { conditions = [] } = run.status ?? {};
  const succeeded = findCondition(conditions, 'Succeeded')?.status === 'True';
  return {
    ...kept(run),
    phase: succeeded ? 'Completed' : 'Failed',
    conditions: conditions.filter((each) => each.type !== type),
  };
}

/** That retention has deleted it is told by the policy. */
export function expiredEvents(run: BackupRun): readonly EventNote[] {
  if (!isLost(run)) return [];
  const { reason, message } = lost(run);
  return [{ type: 'Warning', reason, action: 'Sync', note: message }];
}

function kept({ metadata, status }: BackupRun) {
  const { jobName, startTime, completionTime, error = '' } = status ?? {};
  return {
    observedGeneration: metadata.generation,
    ...(jobName === undefined ? {} : { jobName }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    error,
  };
}

function storedIn(status: BackupRun['status']) {
  return (status?.repositories ?? []).filter(({ path, state }) => path !== undefined || state === 'Stored');
}

function isLost({ status }: BackupRun): boolean {
  return storedIn(status).some(({ state, lost: isGone }) => state === 'Removed' && isGone === true);
}

function expired({ status }: BackupRun) {
  const message = `Retention has deleted the backup ${status?.backupID} from every repository; it cannot be restored any more`;
  return { reason: 'BackupExpired', message };
}

function lost({ status }: BackupRun) {
  const places = storedIn(status).map(({ name, path = '' }) => `${path} of ${name}`);
  const message = `The backup ${status?.backupID} is not in the repository any more (${places.join(', ')}), and neither retention nor anybody else here has deleted it. Find out who deletes there; where it is brought back, the next sync finds it`;
  return { reason: 'BackupLost', message };
}
