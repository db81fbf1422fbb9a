import { type Failure, terminal } from '../failure.ts';
import { formatLsn, type Lsn } from '../wal/lsn.ts';
import type { Candidate } from './choose-backup.ts';
import { formatMoment, type Moment } from './moment.ts';
import type { NeededWal } from './needed-wal.ts';

/** Where a recovery that is possible would end. */
export interface Reach {
  readonly candidate: Candidate;
  readonly wal: NeededWal;
  /** Where the last record begins: the last LSN that can be a target. */
  readonly lastRecord: Lsn | undefined;
  readonly lastCommit: Moment | undefined;
}

/** The WAL that there is ends before the target: at a hole, or because nothing more was archived yet. */
export function refuseBeyond(target: string, reach: Reach): Failure {
  const { wal } = reach;
  if (wal.missing !== undefined) return refuseHole(wal.missing, `, which replay to ${target} needs`, reach);
  const commit =
    reach.lastCommit === undefined
      ? `The WAL that is archived ends at ${formatLsn(wal.end)}, without a commit since the backup`
      : `The last commit that is archived is of ${formatMoment(reach.lastCommit)}, and the WAL ends at ${formatLsn(wal.end)}`;
  return terminal(
    'TargetAfterWindow',
    `Replay cannot get to ${target}. ${commit}. Leave the target out to have all of it. ${sayNearest(reach)}`,
  );
}

/** WAL is missing that the target needs. `reach`: of what can be had all the same. */
export function refuseHole(missing: string, why: string, reach: Reach | undefined): Failure {
  return terminal(
    'WalMissing',
    `The WAL segment ${missing} is not in the archive${why}. ${
      reach === undefined
        ? 'No backup on this timeline can be made whole. Bring the segment back from a copy of the repository or from pg_wal of the server, choose another timeline (recoveryTarget.targetTLI), or make a new physical backup.'
        : `${sayNearest(reach)} To get further, bring the segment back from a copy of the repository or from pg_wal of the server, or choose a target after a newer backup.`
    }`,
  );
}

/** The last target that can be had, and the moments before it. */
export function sayNearest({ candidate: { backup }, lastCommit, lastRecord }: Reach): string {
  if (lastRecord === undefined || lastRecord < backup.end) {
    return `The nearest possible target is the end of backup ${backup.backupID} at ${backup.time.toISOString()} (targetImmediate with that backupID).`;
  }
  const nearest = `The nearest possible target is targetLSN ${formatLsn(lastRecord)}`;
  return lastCommit === undefined
    ? `${nearest}.`
    : `${nearest}, just after the commit of ${formatMoment(lastCommit)}; a targetTime must be before that commit.`;
}
