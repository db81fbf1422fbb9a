import { newestFirst, type RepositoryBackup } from './repository-backup.ts';
import { pathTo, reaches, type ServerWal, timelinesOf } from './server-wal.ts';

/** The clock of a store and ours may differ; whatever was stored about then counts as of the window. */
const slack = 3_600_000;

/**
 * The base backups that stand before the window and without which an instant in it could not be restored: for each
 * timeline on which something may have happened since, the newest full backup that ended before and leads to it. Every
 * timeline's path must be known (doubts.ts).
 */
export function windowBases(
  wal: ServerWal,
  complete: readonly RepositoryBackup[],
  start: Date,
  current: boolean,
): readonly RepositoryBackup[] {
  const own = complete.filter(({ systemIdentifier }) => systemIdentifier === wal.systemIdentifier);
  const known = timelinesOf(wal, own);
  const before = newestFirst(own).filter(({ type, completionTime }) => type === 'Full' && completionTime <= start);
  const bases = known.filter(isLive(wal, own, start, current ? known.at(-1) : undefined)).flatMap((timeline) => {
    const path = pathTo(timeline, wal, known);
    return path === undefined ? before : (before.find((backup) => reaches(backup, path)) ?? []);
  });
  return [...new Set(bases)];
}

/** A server that stands still writes nothing, and its last state is that of every instant since: its timeline is live. */
function isLive(wal: ServerWal, own: readonly RepositoryBackup[], start: Date, last: number | undefined) {
  const since = start.getTime() - slack;
  const [newest] = newestFirst(own);
  return (timeline: number): boolean => {
    if (last !== undefined && (timeline === last || timeline === newest?.physical?.timeline)) return true;
    const archived = wal.timelines.get(timeline);
    if (archived !== undefined && (archived.newest === undefined || archived.newest.getTime() >= since)) return true;
    return own.some((backup) => backup.physical?.timeline === timeline && backup.completionTime.getTime() >= since);
  };
}
