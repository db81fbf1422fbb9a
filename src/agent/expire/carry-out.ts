import type { RetentionStatus } from '../../api/retention.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import {
  type Counts,
  type DueBackup,
  type DueWal,
  delayMilliseconds,
  lockedEntry,
  type Plan,
  type PlanEntry,
  type Reckoned,
  type WalEntry,
} from '../../domain/retention/plan.ts';
import type { RepositoryBackup } from '../../domain/retention/repository-backup.ts';
import { deleteBackup, type Fate } from './delete-backups.ts';
import { type Pruned, pruneWal } from './prune-wal.ts';
import type { ReadRepository } from './read-repository.ts';
import { locationOf, prunableOf, standing } from './reckon.ts';
import type { ExpireContext } from './run-expire.ts';

export interface Undertaking {
  readonly context: ExpireContext;
  readonly repositories: readonly ReadRepository[];
  readonly reckoned: readonly Reckoned[];
  readonly plan: Plan;
  /** With the plan, as it is published now. */
  readonly status: RetentionStatus;
  readonly published: RetentionStatus;
  readonly now: Date;
}

type Deleted = NonNullable<RetentionStatus['deleted']>[number];

/** All that one Job can delete, and what some before it did: each is told. */
const rememberedDeletions = 192;

/** Deletes what is due, the backups first, then the WAL that those which are left do not need; says what became of it. */
export async function carryOut(
  undertaking: Undertaking,
): Promise<{ readonly after: RetentionStatus; readonly failure: unknown }> {
  const { plan, status, now, context } = undertaking;
  const gone = await settleVanished(undertaking);
  const fates = new Map<DueBackup, Fate>();
  const removed = new Set<RepositoryBackup>();
  const pruned = new Map<DueWal, Pruned>();
  let failure: unknown;
  try {
    for (const due of plan.dueBackups) {
      const fate = await carryOutOne(due, undertaking, removed);
      fates.set(due, fate);
      if (fate.state === 'Deleted') removed.add(due.backup);
      if (fate.state === 'Failed') failure ??= fate.failure;
    }
    for (const due of failure === undefined ? plan.dueWal : []) {
      const done = await pruneOne(due, undertaking, removed);
      if (done !== undefined) pruned.set(due, done);
    }
  } catch (error) {
    context.signal.throwIfAborted();
    failure ??= error;
  }
  const deletions = plan.dueBackups
    .filter((due) => fates.get(due)?.state === 'Deleted')
    .map((due) => deletedOf(due, now));
  const segments = [...pruned.values()].reduce((sum, each) => sum + each.segments, 0);
  const bytes = [...pruned.values()].reduce((sum, each) => sum + each.bytes, 0);
  const left = entriesLeft(undertaking, fates, pruned);
  const after: RetentionStatus = {
    ...status,
    ...left,
    repositories: (status.repositories ?? []).map((counts) => countsLeft(counts, deletions, left.wal)),
    deleted: [...deletions, ...gone, ...(status.deleted ?? [])].slice(0, rememberedDeletions),
    ...(segments === 0 ? {} : { pruned: { time: rfc3339(now), segments, bytes: String(bytes) } }),
    nextDueTime: nextDue(left, undertaking),
  };
  return { after, failure };
}

/** What an earlier Job has deleted, and was stopped before it could say so. */
async function settleVanished({ reckoned, published, context, now }: Undertaking): Promise<readonly Deleted[]> {
  const there = new Set(
    reckoned.flatMap(({ name, verdicts }) =>
      verdicts.map(({ backup }) => `${name}/${backup.systemIdentifier}/${backup.backupID}`),
    ),
  );
  const gone: Deleted[] = [];
  for (const entry of published.plan ?? []) {
    const { repository, systemIdentifier, backupID, run, action } = entry;
    if (repository === undefined || systemIdentifier === undefined || backupID === undefined) continue;
    if (action !== 'Delete' && action !== 'Locked') continue;
    if (there.has(`${repository}/${systemIdentifier}/${backupID}`)) continue;
    if (!reckoned.some(({ name }) => name === repository)) continue;
    await tellRun(context, { run, backupID }, repository);
    const { bytes, reason } = entry;
    gone.push({ run, time: rfc3339(now), repository, systemIdentifier, backupID, bytes, reason });
  }
  return gone;
}

async function carryOutOne(
  due: DueBackup,
  { context, repositories, reckoned }: Undertaking,
  removed: ReadonlySet<RepositoryBackup>,
): Promise<Fate> {
  const { cluster, signal, log } = context;
  const found = repositories.find(({ name }) => name === due.repository);
  const verdicts = reckoned.find(({ name }) => name === due.repository)?.verdicts ?? [];
  if (found === undefined) return { state: 'Needed' };
  const fate = await deleteBackup(due, {
    store: found.store,
    cluster,
    standing: standing(verdicts, removed),
    signal,
  });
  log.info({ repository: due.repository, path: due.backup.path, reason: due.reason }, `retention: ${fate.state}`);
  if (fate.state === 'Deleted') await tellRun(context, due.backup, due.repository);
  return fate;
}

/** A BackupRun that could not be told is told by the next Job, which finds the backup gone. */
async function tellRun(
  { cluster, log, signal }: ExpireContext,
  backup: { readonly run: string; readonly backupID: string },
  repository: string,
): Promise<void> {
  try {
    await cluster.markRemoved(backup, repository);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error, run: backup.run }, 'the BackupRun could not be told that its backup was deleted');
  }
}

/** Judged anew by what is there now: a backup that was locked or held keeps its WAL. */
async function pruneOne(
  due: DueWal,
  { context, repositories, reckoned, now }: Undertaking,
  removed: ReadonlySet<RepositoryBackup>,
): Promise<Pruned | undefined> {
  const found = repositories.find(({ name }) => name === due.repository);
  const verdicts = reckoned.find(({ name }) => name === due.repository)?.verdicts ?? [];
  if (found === undefined) return undefined;
  const { task, signal, log } = context;
  const still = prunableOf(found, standing(verdicts, removed), task, now).find(
    (each) => each.systemIdentifier === due.systemIdentifier && each.timeline === due.timeline,
  );
  if (still === undefined) return undefined;
  const before = least(due.before, still.before);
  const done = await pruneWal(found.store, locationOf(task, due), { ...due, before }, signal);
  log.info({ ...due, before: String(before), segments: done.segments, bytes: done.bytes }, 'retention: WAL pruned');
  return done;
}

function deletedOf({ backup, repository, reason }: DueBackup, now: Date): Deleted {
  const { run, systemIdentifier, backupID, bytes } = backup;
  return { run, time: rfc3339(now), repository, systemIdentifier, backupID, bytes: String(bytes), reason };
}

interface Left {
  readonly plan: PlanEntry[];
  readonly wal: WalEntry[];
}

function entriesLeft(
  { plan, now }: Undertaking,
  fates: ReadonlyMap<DueBackup, Fate>,
  pruned: ReadonlyMap<DueWal, Pruned>,
): Left {
  const backups = plan.plan.flatMap((entry) => {
    const due = plan.dueBackups.find((each) => isOf(entry, each));
    const fate = due === undefined || entry.action === 'Keep' ? undefined : fates.get(due);
    if (fate?.state === 'Deleted') return [];
    if (fate?.state === 'Locked') return [lockedEntry(entry, fate.lock.until, now)];
    if (fate?.state === 'Held') {
      const { dueTime: _, ...rest } = entry;
      return [{ ...rest, action: 'Keep', reason: 'hold' }];
    }
    return [entry];
  });
  const wal = plan.wal.flatMap((entry) => {
    const due = plan.dueWal.find(
      (each) =>
        each.repository === entry.repository &&
        each.systemIdentifier === entry.systemIdentifier &&
        each.timeline === entry.timeline,
    );
    const done = due === undefined ? undefined : pruned.get(due);
    if (done === undefined) return [entry];
    if (done.lock === undefined) return [];
    const { dueTime, reason } = lockedEntry({ run: '', action: 'Locked' }, done.lock.until, now);
    const bytes = String(Math.max(0, Number(entry.bytes) - done.bytes));
    return [{ ...entry, segments: Math.max(0, entry.segments - done.segments), bytes, dueTime, reason }];
  });
  return { plan: backups, wal };
}

function isOf(entry: PlanEntry, { backup, repository }: DueBackup): boolean {
  return (
    entry.repository === repository &&
    entry.backupID === backup.backupID &&
    entry.systemIdentifier === backup.systemIdentifier
  );
}

function countsLeft(counts: Counts, deletions: readonly Deleted[], wal: readonly WalEntry[]): Counts {
  const own = deletions.filter(({ repository }) => repository === counts.name);
  const left = wal.filter(({ repository }) => repository === counts.name);
  const bytes = own.reduce((sum, each) => sum + Number(each.bytes), 0);
  return {
    ...counts,
    backups: counts.backups - own.length,
    delete: counts.delete - own.length,
    deleteBytes: String(Math.max(0, Number(counts.deleteBytes) - bytes)),
    walSegments: left.reduce((sum, { segments }) => sum + segments, 0),
    walBytes: String(left.reduce((sum, each) => sum + Number(each.bytes), 0)),
  };
}

/** What could not go now is tried again after the delay. */
function nextDue({ plan, wal }: Left, { now, reckoned, context }: Undertaking): string | undefined {
  const later = rfc3339(new Date(now.getTime() + delayMilliseconds));
  const times = [...plan, ...wal].flatMap(({ dueTime }) =>
    dueTime === undefined ? [] : Date.parse(dueTime) <= now.getTime() ? later : dueTime,
  );
  const more = reckoned.some((each) => each.wal.some((prunable) => prunable.more));
  const { dryRun } = context.task.retention;
  return [...times, ...(more && !dryRun ? [later] : [])].toSorted()[0];
}

function least(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  if (one === undefined) return other;
  return other === undefined || one < other ? one : other;
}
