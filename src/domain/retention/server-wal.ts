import { leadsThrough, type TimelinePath } from '../recovery/resolve-timeline.ts';
import type { Ancestor } from '../wal/timeline-history.ts';
import type { RepositoryBackup } from './repository-backup.ts';

/** What the archive of one server has, in so far as retention depends on it. */
export interface ServerWal {
  readonly systemIdentifier: string;
  /** Every timeline with a folder of its own. */
  readonly timelines: ReadonlyMap<number, TimelineWal>;
  /** The ancestors of every timeline that has a history file, oldest first. */
  readonly histories: ReadonlyMap<number, readonly Ancestor[]>;
  /** A folder without a manifest: a backup that is being made, or what one has left. */
  readonly unfinishedBackups: boolean;
}

export interface TimelineWal {
  /** When the store got the newest file; undefined where nobody looked: then it counts as written today. */
  readonly newest: Date | undefined;
}

/** Every timeline with WAL or a backup, in order. */
export function timelinesOf(wal: ServerWal, backups: readonly RepositoryBackup[]): readonly number[] {
  const own = backups.flatMap(({ systemIdentifier, physical }) =>
    systemIdentifier === wal.systemIdentifier && physical !== undefined ? [physical.timeline] : [],
  );
  return [...new Set([...wal.timelines.keys(), ...own])].sort((one, other) => one - other);
}

/**
 * How a timeline came to be; undefined where its history file is missing and an older timeline is there from which it may
 * have come. The oldest one comes from nothing that is archived.
 */
export function pathTo(timeline: number, wal: ServerWal, known: readonly number[]): TimelinePath | undefined {
  const ancestors = wal.histories.get(timeline);
  if (ancestors !== undefined) return { timeline, ancestors };
  return timeline === 1 || known.every((other) => other >= timeline) ? { timeline, ancestors: [] } : undefined;
}

/** Whether replay from this backup can get onto the timeline. */
export function reaches({ physical }: RepositoryBackup, path: TimelinePath): boolean {
  return physical !== undefined && leadsThrough(path, physical);
}

/** The server that was backed up or has archived last: that of the newest backup, or of WAL that is newer. */
export function currentServer(wals: readonly ServerWal[], backups: readonly RepositoryBackup[]): string | undefined {
  let current: { readonly systemIdentifier: string; readonly at: number } | undefined;
  const consider = (systemIdentifier: string, at: number) => {
    if (current === undefined || at > current.at) current = { systemIdentifier, at };
  };
  for (const { systemIdentifier, completionTime } of backups) consider(systemIdentifier, completionTime.getTime());
  for (const { systemIdentifier, timelines } of wals)
    for (const { newest } of timelines.values()) consider(systemIdentifier, newest?.getTime() ?? 0);
  return current?.systemIdentifier ?? wals[0]?.systemIdentifier;
}
