import { historyName } from '../wal/file-name.ts';
import type { RepositoryBackup } from './repository-backup.ts';
import { pathTo, type ServerWal, timelinesOf } from './server-wal.ts';

/** Why nothing may be deleted now. */
export interface Doubt {
  readonly reason: string;
  readonly message: string;
}

export interface Doubted {
  readonly repository: string;
  readonly backups: readonly RepositoryBackup[];
  readonly wals: readonly ServerWal[];
  readonly now: Date;
}

/** The clocks of two nodes. */
export const clockSlack = 300_000;

/** What cannot be right, or cannot be known, of one repository; pure. The first is enough to stop. */
export function findDoubt(doubted: Doubted): Doubt | undefined {
  return clockDoubt(doubted) ?? segmentDoubt(doubted) ?? historyDoubt(doubted);
}

function clockDoubt({ repository, backups, wals, now }: Doubted): Doubt | undefined {
  const ends = backups.map(({ completionTime }) => completionTime);
  const stored = wals.flatMap(({ timelines }) => [...timelines.values()].flatMap(({ newest }) => newest ?? []));
  const latest = [...ends, ...stored].reduce<Date | undefined>(
    (one, other) => (one === undefined || other > one ? other : one),
    undefined,
  );
  if (latest === undefined || latest.getTime() <= now.getTime() + clockSlack) return undefined;
  return {
    reason: 'ClockWentBack',
    message: `It is ${now.toISOString()} by the clock of this node, and the repository ${repository} holds something of ${latest.toISOString()}: one of the clocks is wrong, so nobody can tell what is old. Nothing was deleted. Set the clocks of the nodes right; it is tried again.`,
  };
}

/** A path that nobody knows leads to every backup and to none. */
function historyDoubt({ repository, backups, wals }: Doubted): Doubt | undefined {
  for (const wal of wals) {
    const known = timelinesOf(wal, backups);
    const lost = known.find((timeline) => pathTo(timeline, wal, known) === undefined);
    if (lost === undefined) continue;
    return {
      reason: 'HistoryMissing',
      message: `${historyName(lost)} of the server ${wal.systemIdentifier} is not in the repository ${repository}, so nobody can tell which backups and which WAL timeline ${lost} needs. Nothing was deleted. Bring the file back from a copy of the repository or from pg_wal of the server into wal/history/; if nobody needs that timeline, remove its folder of wal/ and its backups by hand.`,
    };
  }
  return undefined;
}

function segmentDoubt({ repository, backups, wals }: Doubted): Doubt | undefined {
  for (const { systemIdentifier } of wals) {
    const sizes = new Set(
      backups.flatMap((backup) =>
        backup.systemIdentifier === systemIdentifier ? (backup.physical?.segmentSize ?? []) : [],
      ),
    );
    if (sizes.size < 2) continue;
    return {
      reason: 'SegmentSizesDiffer',
      message: `The backups of the server ${systemIdentifier} in the repository ${repository} say different sizes of WAL segments (${[...sizes].join(', ')} bytes), so that the names of segments cannot be compared. Nothing was deleted. Remove the backups of one of the sizes by hand (kubectl delete of their BackupRuns with deletionPolicy Delete).`,
    };
  }
  return undefined;
}
