import { newestFirst, type RepositoryBackup } from './repository-backup.ts';
import { currentServer, pathTo, reaches, type ServerWal, timelinesOf } from './server-wal.ts';

/** WAL of one timeline that no backup needs any more. */
export interface Prunable {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The number of the first segment that stays; undefined: none of this timeline does. */
  readonly before: bigint | undefined;
}

export interface PruneInput {
  readonly wals: readonly ServerWal[];
  /** Those that are there and stay, of all servers. */
  readonly kept: readonly RepositoryBackup[];
  readonly windowStart: Date | undefined;
  readonly now: Date;
}

/** WAL of a timeline that no backup leads to may be that of a server whose first backup is on its way. */
const leastAge = 24 * 3_600_000;

/**
 * The WAL behind the kept backups, by the graph of the timelines; pure. A backup needs its own timeline from its beginning
 * on, as much of the ancestors as it began on, and every timeline that replay from it can get onto, whole. Nothing is
 * said of a server that has no backup and is the present one.
 */
export function prunableWal(input: PruneInput): readonly Prunable[] {
  const current = currentServer(input.wals, input.kept);
  return input.wals.flatMap((wal) => ofServer(wal, wal.systemIdentifier === current, input));
}

function ofServer(wal: ServerWal, isCurrent: boolean, { kept, windowStart, now }: PruneInput): readonly Prunable[] {
  const { systemIdentifier } = wal;
  const own = newestFirst(kept).filter(
    (backup) => backup.systemIdentifier === systemIdentifier && backup.physical !== undefined,
  );
  if (isCurrent && own.length === 0) return [];
  const known = timelinesOf(wal, own);
  const last = known.at(-1);
  const oldest = Math.min(now.getTime() - leastAge, windowStart?.getTime() ?? Number.POSITIVE_INFINITY);
  return [...wal.timelines]
    .sort(([one], [other]) => one - other)
    .flatMap(([timeline, { newest }]): readonly Prunable[] => {
      const firsts = own.flatMap((backup) => firstNeeded(backup, timeline, wal, known) ?? []);
      if (firsts.length > 0) {
        const before = firsts.reduce((one, other) => (other < one ? other : one));
        return before === 0n ? [] : [{ systemIdentifier, timeline, before }];
      }
      // A later timeline has its backup: what came before is only a gap in the eyes of who follows the archive.
      if (own.some((backup) => isAncestor(timeline, backup, wal)))
        return [{ systemIdentifier, timeline, before: undefined }];
      const isOld = newest !== undefined && newest.getTime() < oldest;
      const mayCome = (isCurrent && timeline === last) || wal.unfinishedBackups || !isOld;
      return mayCome ? [] : [{ systemIdentifier, timeline, before: undefined }];
    });
}

function isAncestor(timeline: number, { physical }: RepositoryBackup, { histories }: ServerWal): boolean {
  const ancestors = physical === undefined ? undefined : histories.get(physical.timeline);
  return ancestors?.some((ancestor) => ancestor.timeline === timeline) === true;
}

/** The number of the first segment of a timeline that a backup may need; undefined where it needs none. */
function firstNeeded(
  backup: RepositoryBackup,
  timeline: number,
  wal: ServerWal,
  known: readonly number[],
): bigint | undefined {
  const { physical } = backup;
  if (physical === undefined) return undefined;
  const first = physical.begin / BigInt(physical.segmentSize);
  if (timeline === physical.timeline) return first;
  const ancestors = pathTo(physical.timeline, wal, known)?.ancestors;
  const left = ancestors?.find((ancestor) => ancestor.timeline === timeline);
  if (left !== undefined) return left.end > first * BigInt(physical.segmentSize) ? first : undefined;
  const path = pathTo(timeline, wal, known);
  // Nobody can tell how they hang together: all of it is needed.
  if (path === undefined || ancestors === undefined) return 0n;
  return reaches(backup, path) ? 0n : undefined;
}
