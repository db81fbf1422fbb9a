import { terminal } from '../failure.ts';
import { formatLsn, type Lsn } from '../wal/lsn.ts';
import type { Catalogue, CataloguedBackup } from './catalogue.ts';
import { formatMoment, type Moment, momentOf } from './moment.ts';
import { explainUnreachable, leadsThrough, ownPath, resolveTimeline, type TimelinePath } from './resolve-timeline.ts';

/** What is known of a target before any WAL is read. */
export interface Wanted {
  /** Replay is to end at a moment, a position, the backup's own end; or somewhere after the backup's end. */
  readonly time?: Moment | undefined;
  readonly lsn?: Lsn | undefined;
  readonly immediate: boolean;
  readonly targetTLI: string | number;
  /** '' for the one that fits best. */
  readonly backupID: string;
  /** Those that failed their verification: the last that are thought of. */
  readonly passOver?: readonly string[];
}

export interface Candidate {
  readonly backup: CataloguedBackup;
  readonly path: TimelinePath;
}

/**
 * The backups from which the target can be reached, the newest first: on the target timeline's path, and consistent
 * before the target. At least one: otherwise BackupNotFound, TimelineUnreachable or TargetBeforeWindow, in words.
 */
export function chooseBackups(wanted: Wanted, catalogue: Catalogue): readonly [Candidate, ...Candidate[]] {
  const named = namedBackups(wanted, catalogue);
  const [newest] = named;
  const candidates = named.map((backup) => ({ backup, path: pathOf(backup, wanted, catalogue) }));
  const reachable = candidates.filter(({ backup, path }) => wanted.immediate || leadsThrough(path, backup));
  if (reachable.length === 0) throw unreachable(newest, pathOf(newest, wanted, catalogue), wanted, catalogue);
  const [first, ...others] = worstLast(
    reachable.filter(({ backup }) => endsBefore(backup, wanted)),
    wanted,
  );
  if (first !== undefined) return [first, ...others];
  throw beforeWindow(reachable, wanted);
}

function worstLast(candidates: readonly Candidate[], { passOver = [] }: Wanted): readonly Candidate[] {
  const isPassedOver = ({ backup }: Candidate) => passOver.includes(backup.backupID);
  return [...candidates.filter((each) => !isPassedOver(each)), ...candidates.filter(isPassedOver)];
}

function namedBackups(
  { backupID }: Wanted,
  { backups }: Catalogue,
): readonly [CataloguedBackup, ...CataloguedBackup[]] {
  const [first, ...others] = backups.filter((each) => backupID === '' || each.backupID === backupID);
  if (first !== undefined) return [first, ...others];
  const [newest] = backups;
  throw terminal(
    'BackupNotFound',
    newest === undefined
      ? 'There is no physical backup to recover from, and WAL alone is none. Let a schedule or a BackupRun with method Physical make one.'
      : `There is no physical backup ${backupID} of this server. The newest is ${newest.backupID}; name it or another one, or leave backupID out.`,
  );
}

function pathOf(backup: CataloguedBackup, wanted: Wanted, catalogue: Catalogue): TimelinePath {
  return wanted.immediate ? ownPath(backup, catalogue) : resolveTimeline(wanted.targetTLI, backup, catalogue);
}

/** Before its end a backup holds no state that ever was. */
function endsBefore({ time, end }: CataloguedBackup, wanted: Wanted): boolean {
  if (wanted.time !== undefined) return momentOf(time) <= wanted.time;
  return wanted.lsn === undefined || end <= wanted.lsn;
}

function unreachable(backup: CataloguedBackup, path: TimelinePath, { backupID }: Wanted, catalogue: Catalogue) {
  const timelines = [...new Set(catalogue.backups.map(({ timeline }) => timeline))].sort((one, other) => one - other);
  return terminal(
    'TimelineUnreachable',
    `Timeline ${path.timeline} cannot be reached from ${backupID === '' ? 'any backup' : `backup ${backupID}`}: ${explainUnreachable(path, backup)}. ${backupID === '' ? '' : 'Leave backupID out. '}Set recoveryTarget.targetTLI to ${timelines.join(' or ')}, on which there are backups.`,
  );
}

function beforeWindow(reachable: readonly Candidate[], wanted: Wanted) {
  const target = wanted.time === undefined ? formatLsn(wanted.lsn ?? 0n) : formatMoment(wanted.time);
  const earliest = reachable.reduce((one, other) => (other.backup.end < one.backup.end ? other : one)).backup;
  const nearest = wanted.time === undefined ? formatLsn(earliest.end) : formatMoment(momentOf(earliest.time));
  return terminal(
    'TargetBeforeWindow',
    wanted.backupID === ''
      ? `The target ${target} lies before the end of the earliest backup on its timeline, ${earliest.backupID}, which became whole at ${nearest}: no state from before can be had. The nearest possible target is ${nearest}; targetImmediate with backupID ${earliest.backupID} is just that.`
      : `The target ${target} lies before the end of backup ${earliest.backupID} at ${nearest}. Leave backupID out for an older one, or recover to ${nearest} or later.`,
  );
}
