import type { RetentionStatus } from '../../api/retention.ts';
import { rfc3339 } from '../conditions.ts';
import { segmentNameAt } from '../wal/file-name.ts';
import type { Verdict } from './judge-backups.ts';
import type { Prunable } from './prunable-wal.ts';
import type { RepositoryBackup } from './repository-backup.ts';

/** Between the first plan that names a thing and its deletion: time to read it, and to hold what is to stay. */
export const delayMilliseconds = 3_600_000;
/** Until a locked object is tried again whose lock says no end. */
const lockedAgain = 24 * 3_600_000;
const shownDeletions = 160;
const shownKept = 64;
const shownWal = 64;

export type PlanEntry = NonNullable<RetentionStatus['plan']>[number];
export type WalEntry = NonNullable<RetentionStatus['wal']>[number];
export type Counts = NonNullable<RetentionStatus['repositories']>[number];

/** What is known of one repository, whole. */
export interface Reckoned {
  readonly name: string;
  readonly verdicts: readonly Verdict[];
  readonly wal: readonly PrunableWal[];
}

export interface PrunableWal extends Prunable {
  /** Bytes. */
  readonly segmentSize: number;
  readonly segments: number;
  readonly bytes: number;
  /** There is more to go than this, which is planned later. */
  readonly more: boolean;
}

export interface DueBackup {
  readonly repository: string;
  readonly backup: RepositoryBackup;
  readonly reason: string;
}

export interface DueWal {
  readonly repository: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Both as the first number that stays; undefined: none does. */
  readonly before: bigint | undefined;
  readonly segmentSize: number;
}

export interface Plan {
  readonly plan: readonly PlanEntry[];
  readonly wal: readonly WalEntry[];
  readonly repositories: readonly Counts[];
  readonly nextDueTime: string | undefined;
  /** What an earlier plan has named, its time come: in no dry run. The newest first, so that an increment goes before its parent. */
  readonly dueBackups: readonly DueBackup[];
  readonly dueWal: readonly DueWal[];
}

export interface PlanInput {
  readonly repositories: readonly Reckoned[];
  /** As it stands in the policy's status, where everybody could read it. */
  readonly published: RetentionStatus;
  readonly dryRun: boolean;
  readonly now: Date;
}

/**
 * What goes and when; pure. A thing is due when the published plan had it, with a time that has come, and it is still to
 * go now. Where backups have vanished that nobody here has deleted, everything waits anew.
 */
export function makePlan(input: PlanInput): Plan {
  const { repositories, dryRun, now } = input;
  const parts = repositories.map((repository) => planOne(repository, input));
  const deletions = parts.flatMap(({ deletions: each }) => each).toSorted(nextFirst);
  const kept = parts.flatMap(({ kept: each }) => each);
  const shown = deletions.slice(0, shownDeletions);
  const wal = parts.flatMap(({ wal: each }) => each).slice(0, shownWal);
  const isDue = ({
    entry,
    publishedDue,
  }: {
    readonly entry: { readonly dueTime?: string | undefined };
    readonly publishedDue: string | undefined;
  }) => !dryRun && entry.dueTime !== undefined && hasCome(entry.dueTime, now) && hasCome(publishedDue, now);
  const times = [...shown, ...wal].flatMap(({ entry }) => entry.dueTime ?? []);
  if (!dryRun && (deletions.length > shown.length || repositories.some((each) => each.wal.some(({ more }) => more))))
    times.push(rfc3339(new Date(now.getTime() + delayMilliseconds)));
  return {
    plan: [...shown.map(({ entry }) => entry), ...kept.slice(0, shownKept)],
    wal: wal.map(({ entry }) => entry),
    repositories: parts.map(({ counts }) => counts),
    nextDueTime: times.toSorted()[0],
    dueBackups: shown
      .filter(isDue)
      .map(({ due }) => due)
      .toSorted((one, other) => other.backup.completionTime.getTime() - one.backup.completionTime.getTime()),
    dueWal: wal.filter(isDue).map(({ due }) => due),
  };
}

interface Planned<Entry, Due> {
  readonly entry: Entry;
  readonly due: Due;
  /** The time that the published plan has told. */
  readonly publishedDue: string | undefined;
}

function planOne({ name, verdicts, wal }: Reckoned, input: PlanInput) {
  const published = vanished(name, verdicts, input.published) ? {} : input.published;
  const going = verdicts.filter(({ keep }) => !keep);
  const counts: Counts = {
    name,
    backups: verdicts.length,
    keep: verdicts.length - going.length,
    delete: going.length,
    deleteBytes: String(going.reduce((sum, { backup }) => sum + backup.bytes, 0)),
    walSegments: wal.reduce((sum, { segments }) => sum + segments, 0),
    walBytes: String(wal.reduce((sum, { bytes }) => sum + bytes, 0)),
  };
  return {
    counts,
    deletions: going.map((verdict) => planBackup(name, verdict, { ...input, published })),
    kept: verdicts.filter(({ keep }) => keep).map((verdict) => entryOf(name, verdict, 'Keep')),
    wal: wal.map((prunable) => planWal(name, prunable, { ...input, published })),
  };
}

/** A listing that is shorter than what is known to be there is not to be believed at once. */
function vanished(name: string, verdicts: readonly Verdict[], published: RetentionStatus): boolean {
  const before = published.repositories?.find((each) => each.name === name);
  return before !== undefined && verdicts.length < before.backups;
}

function planBackup(
  repository: string,
  verdict: Verdict,
  { published, dryRun, now }: PlanInput,
): Planned<PlanEntry, DueBackup> {
  const { backup, reason } = verdict;
  const due = { repository, backup, reason };
  if (dryRun) return { entry: entryOf(repository, verdict, 'WouldDelete'), due, publishedDue: undefined };
  const before = published.plan?.find(
    (each) =>
      each.repository === repository &&
      each.backupID === backup.backupID &&
      each.systemIdentifier === backup.systemIdentifier &&
      (each.action === 'Delete' || each.action === 'Locked'),
  );
  const dueTime = before?.dueTime ?? rfc3339(new Date(now.getTime() + delayMilliseconds));
  const entry =
    before?.action === 'Locked' && !hasCome(dueTime, now)
      ? { ...before, dueTime }
      : { ...entryOf(repository, verdict, 'Delete'), dueTime };
  return { entry, due, publishedDue: before?.dueTime };
}

function planWal(
  repository: string,
  { systemIdentifier, timeline, before, segmentSize, segments, bytes }: PrunableWal,
  { published, dryRun, now }: PlanInput,
): Planned<WalEntry, DueWal> {
  const known = dryRun ? undefined : publishedWal(repository, { systemIdentifier, timeline }, published);
  const entry = {
    repository,
    systemIdentifier,
    timeline,
    ...(before === undefined ? {} : { before: segmentNameAt(timeline, before * BigInt(segmentSize), segmentSize) }),
    segments,
    bytes: String(bytes),
    ...(dryRun ? {} : { dueTime: known?.dueTime ?? rfc3339(new Date(now.getTime() + delayMilliseconds)) }),
  };
  const due = { repository, systemIdentifier, timeline, before, segmentSize };
  return { entry, due, publishedDue: known?.dueTime };
}

/**
 * As much of what can go as the published plan has told of, so that its time holds for all of it; what was added since is
 * planned when that is gone (`more`).
 */
export function asPublished(
  repository: string,
  prunable: Prunable,
  segmentSize: number,
  published: RetentionStatus,
): Prunable & { readonly more: boolean } {
  const known = publishedWal(repository, prunable, published);
  if (known?.before === undefined || known.dueTime === undefined) return { ...prunable, more: false };
  const told = numberOf(known.before, segmentSize);
  const more = prunable.before === undefined || prunable.before > told;
  return { ...prunable, before: more ? told : prunable.before, more };
}

function publishedWal(
  repository: string,
  { systemIdentifier, timeline }: Pick<Prunable, 'systemIdentifier' | 'timeline'>,
  { wal }: RetentionStatus,
): WalEntry | undefined {
  return wal?.find(
    (each) =>
      each.repository === repository && each.systemIdentifier === systemIdentifier && each.timeline === timeline,
  );
}

/** A locked object is a state with a date: until then it is not tried again. */
export function lockedEntry(entry: PlanEntry, until: Date | undefined, now: Date): PlanEntry {
  const next = until !== undefined && until > now ? until : new Date(now.getTime() + lockedAgain);
  const words =
    until === undefined ? 'its lock says no end, and it is tried again every day' : `until ${rfc3339(until)}`;
  return { ...entry, action: 'Locked', dueTime: rfc3339(next), reason: `the store has locked its objects: ${words}` };
}

function entryOf(
  repository: string,
  { backup, reason }: Verdict,
  action: 'Delete' | 'WouldDelete' | 'Keep',
): PlanEntry {
  const { run, method, type, parent, systemIdentifier, backupID, bytes } = backup;
  const increment = parent === undefined ? {} : { type, parentBackupID: parent };
  return { run, action, reason, method, ...increment, repository, systemIdentifier, backupID, bytes: String(bytes) };
}

/** What is due first, then the oldest; what is locked comes last, so that it stands in nobody's way. */
function nextFirst(one: Planned<PlanEntry, DueBackup>, other: Planned<PlanEntry, DueBackup>): number {
  const locked = Number(one.entry.action === 'Locked') - Number(other.entry.action === 'Locked');
  if (locked !== 0) return locked;
  const times = (one.entry.dueTime ?? '').localeCompare(other.entry.dueTime ?? '');
  return times !== 0 ? times : one.due.backup.completionTime.getTime() - other.due.backup.completionTime.getTime();
}

function hasCome(time: string | undefined, now: Date): boolean {
  return time !== undefined && Date.parse(time) <= now.getTime();
}

function numberOf(segment: string, segmentSize: number): bigint {
  const perLog = 0x1_0000_0000n / BigInt(segmentSize);
  return BigInt(`0x${segment.slice(8, 16)}`) * perLog + BigInt(`0x${segment.slice(16, 24)}`);
}
