import { terminal } from '../failure.ts';
import { historyName } from '../wal/file-name.ts';
import { formatLsn } from '../wal/lsn.ts';
import { type Ancestor, endOn } from '../wal/timeline-history.ts';
import type { Catalogue, CataloguedBackup } from './catalogue.ts';

/** A timeline that is followed to its end, and how it came to be. */
export interface TimelinePath {
  readonly timeline: number;
  /** Oldest first. */
  readonly ancestors: readonly Ancestor[];
}

/** Those that have WAL of their own, in order. */
export function knownTimelines({ backups, files }: Catalogue): readonly number[] {
  const archived = [...files].filter(([, { segments }]) => segments.size > 0).map(([timeline]) => timeline);
  return [...new Set([...archived, ...backups.map(({ timeline }) => timeline)])].sort((one, other) => one - other);
}

/**
 * The timeline that a recovery follows from this backup. `latest` is the highest that has WAL: one that has nothing but a
 * history file holds nothing to recover. Throws TimelineUnreachable where the archive cannot tell the way to it.
 */
export function resolveTimeline(
  targetTLI: string | number,
  backup: Pick<CataloguedBackup, 'timeline'>,
  catalogue: Catalogue,
): TimelinePath {
  const known = knownTimelines(catalogue);
  const wanted =
    targetTLI === 'current' ? backup.timeline : targetTLI === 'latest' ? (known.at(-1) ?? backup.timeline) : targetTLI;
  const timeline = Number(wanted);
  if (!known.includes(timeline)) {
    throw terminal(
      'TimelineUnreachable',
      `There is no WAL of timeline ${timeline} in the archive; it has ${known.length === 1 ? 'timeline' : 'the timelines'} ${known.join(', ')}. Set recoveryTarget.targetTLI to one of them, or leave it out for the latest.`,
    );
  }
  if (timeline === 1) return { timeline, ancestors: [] };
  const ancestors = catalogue.histories.get(timeline);
  if (ancestors !== undefined) return { timeline, ancestors };
  throw terminal(
    'TimelineUnreachable',
    `${historyName(timeline)} is not in the archive, so that nobody can tell how timeline ${timeline} came to be. Bring the file back from a copy of the repository or from pg_wal of the server, or recover on another timeline (recoveryTarget.targetTLI).`,
  );
}

/** Whether the path leads through this backup's end: else PostgreSQL finds that the timeline is not a child of it. */
export function leadsThrough({ timeline, ancestors }: TimelinePath, backup: CataloguedBackup): boolean {
  const end = endOn(backup.timeline, timeline, ancestors);
  return end === 'open' || (end !== undefined && end > backup.end);
}

/** Why the path does not, for a person. */
export function explainUnreachable(path: TimelinePath, backup: CataloguedBackup): string {
  const { timeline, ancestors } = path;
  const end = endOn(backup.timeline, timeline, ancestors);
  const where = `backup ${backup.backupID} ended at ${formatLsn(backup.end)} on timeline ${backup.timeline}`;
  if (end === undefined || end === 'open')
    return `${where}, which is no ancestor of timeline ${timeline} (${graphOf(path)})`;
  const child = ancestors[ancestors.findIndex((each) => each.timeline === backup.timeline) + 1]?.timeline ?? timeline;
  return `timeline ${child} left ${backup.timeline} at ${formatLsn(end)}, before ${where} (${graphOf(path)})`;
}

/** `1 to 0/5000000, then 2`. */
export function graphOf({ timeline, ancestors }: TimelinePath): string {
  return [...ancestors.map((each) => `${each.timeline} to ${formatLsn(each.end)}`), String(timeline)].join(', then ');
}

/** For a recovery that goes to the backup's own end: its timeline, whatever it came from and whatever came of it. */
export function ownPath(
  backup: Pick<CataloguedBackup, 'timeline'>,
  { histories }: Pick<Catalogue, 'histories'>,
): TimelinePath {
  return { timeline: backup.timeline, ancestors: histories.get(backup.timeline) ?? [] };
}
