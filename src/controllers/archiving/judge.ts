import type { BackupPolicyStatus, WalGap, WalStatus } from '../../api/backup-policy.ts';
import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { dueRunName } from '../../domain/naming.ts';
import { isYetToCome } from '../../domain/yet-to-come.ts';
import type { Refusal } from '../refusal.ts';
import { staleMilliseconds } from './heard.ts';
import type { Rollout } from './rollout.ts';

/** Seconds of lag that are worth a person's attention, however long a segment may stay open. */
const leastLag = 300;

export interface Judged {
  readonly policy: BackupPolicy;
  readonly wal: WalStatus | undefined;
  /** Of the workload's pods with the sidecar; undefined in mode Stream. */
  readonly rollout: Rollout | undefined;
  readonly refusal: Refusal | undefined;
  /** What is waited for before nothing of Tidemark's is left in the server and its pods. */
  readonly awaited?: string | undefined;
  readonly now: Date;
}

/** Whether the archive follows the server, as the repository shows it. Unknown is not healthy. */
export function continuousArchiving({ policy, wal, rollout, refusal, awaited, now }: Judged): NewCondition {
  const says = (status: NewCondition['status'], reason: string, message: string): NewCondition => ({
    type: 'ContinuousArchiving',
    status,
    reason,
    message,
  });
  const { mode, archiveTimeoutSeconds } = policy.spec.walArchiving;
  if (awaited !== undefined) return says('False', 'TakingBack', awaited);
  if (policy.spec.suspend) return says('False', 'Suspended', 'The policy is suspended, and its WAL is not archived');
  if (refusal !== undefined) return says('False', refusal.reason, refusal.message);
  if (wal?.report === undefined) return says('Unknown', 'Starting', 'The watcher of the archive is being started');
  const { setting, report, gaps = [] } = wal;
  if (setting?.state === 'Refused')
    return says('False', setting.reason ?? 'Refused', setting.message ?? 'The server cannot be set up for archiving');
  const age = now.getTime() - Date.parse(report.time);
  if (age > staleMilliseconds)
    return says(
      'Unknown',
      'WatcherSilent',
      `The watcher of the archive has said nothing since ${report.time}. Look at the pod of Deployment ${policy.metadata.name}-wal.`,
    );
  if (age < -staleMilliseconds)
    return says(
      'Unknown',
      'WatcherSilent',
      `The watcher of the archive spoke last at ${report.time}, which is yet to come, so whether it speaks still is not known. Set the clocks right of the node that it runs on and of the operator's.`,
    );
  // The watcher could not look: what it says of the server is what somebody must know.
  if (setting === undefined && !report.healthy && report.reason !== 'Connecting')
    return says('False', report.reason, report.message);
  // A server that archives is not being set up, whatever else keeps a replica from being ready.
  if (rollout !== undefined && rollout.state !== 'Done' && (rollout.state === 'Waiting' || setting?.state !== 'Set'))
    return says('Unknown', rollout.reason, rollout.message);
  if (mode === 'Archive' && setting?.state !== 'Set')
    return says('Unknown', 'SettingUp', setting?.message ?? 'The server is being set up for archiving');
  if (report.reason === 'Connecting') return says('Unknown', 'Connecting', report.message);
  if (!report.healthy) return says('False', report.reason, report.message);
  if (wal.lastArchivedSegment === undefined)
    return says('Unknown', 'NothingArchivedYet', 'No WAL has come into the archive yet');
  const lag = wal.lagSeconds ?? 0;
  if (lag > Math.max(leastLag, 3 * archiveTimeoutSeconds))
    return says(
      'False',
      'FallingBehind',
      `The archive is ${lag} s and ${amount(wal.lagBytes)} behind the server${pending(wal)}`,
    );
  return says(
    'True',
    'Archiving',
    `Up to ${wal.lastArchivedSegment}, ${lag} s behind the server${pending(wal)}${missing(gaps)}${silentHeart(wal)}`,
  );
}

/** kstatus: present only while a person must act before the archive can go on. */
export function stalledArchiving({ wal, rollout, refusal }: Judged, said: NewCondition): readonly NewCondition[] {
  const isRefused = refusal?.mayCome === false || wal?.setting?.state === 'Refused' || wal?.report?.stalled === true;
  // What a person has asked for needs nobody; what is waited for in it may.
  const isHeld = said.status === 'False' && said.reason !== 'Suspended' && isRefused;
  const isTheirTurn = said.status === 'Unknown' && rollout?.state === 'Waiting' && said.reason === rollout.reason;
  return isHeld || isTheirTurn ? [{ ...said, type: 'Stalled', status: 'True' }] : [];
}

/** Said on, since nobody recovers through a gap, though nothing is to be done about it once there is a backup after it. */
function missing(gaps: readonly WalGap[]): string {
  const last = gaps.at(-1);
  if (last === undefined) return '';
  const others = gaps.length === 1 ? '' : ` and ${gaps.length - 1} gap${gaps.length === 2 ? '' : 's'} before`;
  return `; WAL is missing from ${last.fromWal} to ${last.toWal}${others} (status.restorable.gaps)`;
}

/** What was asked for and is not done, though WAL is archived all the same. */
function silentHeart({ heartbeat }: WalStatus): string {
  return heartbeat?.message === undefined ? '' : `. ${heartbeat.message}`;
}

function pending({ pendingSegments }: WalStatus): string {
  if (pendingSegments === undefined || pendingSegments === 0) return '';
  return pendingSegments === 1 ? ', 1 segment waits' : `, ${pendingSegments} segments wait`;
}

function amount(bytes: string | undefined): string {
  return bytes === undefined ? 'an unknown number of bytes' : `${(Number(bytes) / 1024 ** 2).toFixed(1)} MiB`;
}

/**
 * From when to when: the end of the oldest base backup, and the last commit that the archive holds. A watcher that cannot
 * look at its server knows neither: what was known before is so still, since an archive loses nothing by it.
 */
export function restorableOf(
  runs: readonly BackupRun[],
  wal: WalStatus | undefined,
  before?: BackupPolicyStatus['restorable'],
): BackupPolicyStatus['restorable'] | undefined {
  const ends = physicalBackups(runs, wal?.systemIdentifier).flatMap(({ status }) => status?.completionTime ?? []);
  const [earliestTime] = ends.toSorted();
  if (earliestTime === undefined) return undefined;
  const archived = wal?.lastCommitTime ?? before?.latestTime;
  // Not as texts: one of them has milliseconds.
  const isBefore = archived !== undefined && Date.parse(archived) < Date.parse(earliestTime);
  const latestTime = isBefore ? undefined : archived;
  return {
    earliestTime,
    ...(latestTime === undefined ? {} : { latestTime }),
    gaps: [...(wal?.gaps ?? before?.gaps ?? [])],
  };
}

/** Complete base backups of a server, those of any server where it is not known. */
export function physicalBackups(
  runs: readonly BackupRun[],
  systemIdentifier: string | undefined,
): readonly BackupRun[] {
  return runs.filter(
    ({ spec, status }) =>
      spec.method === 'Physical' &&
      status?.phase === 'Completed' &&
      (systemIdentifier === undefined || status.server?.systemIdentifier === systemIdentifier),
  );
}

export interface DueBackup {
  readonly name: string;
  readonly why: string;
}

const firstRetry = 600_000;

/**
 * A new timeline and a gap each want a new base: without one, what comes after can be reached only through what came
 * before, or not at all. One at a time; one that failed is tried again after ten minutes, then after twice as long, and so
 * on.
 */
export function dueBackup(
  policy: BackupPolicy,
  runs: readonly BackupRun[],
  wal: WalStatus | undefined,
  now: Date,
): DueBackup | undefined {
  if (wal?.timeline === undefined || policy.spec.suspend) return undefined;
  const done = physicalBackups(runs, wal.systemIdentifier);
  // Who never made one by a schedule or by hand has not asked for any.
  if (done.length === 0) return undefined;
  const physical = runs.filter(({ spec }) => spec.method === 'Physical');
  if (physical.some(({ status }) => !['Completed', 'Failed', 'Cancelled', 'Expired'].includes(status?.phase ?? '')))
    return undefined;
  const cause = causeOf(policy.metadata.name, done, wal);
  return cause === undefined ? undefined : nextTry(cause, physical, now);
}

/** The run to be made for a cause: its first, or another after one that failed; undefined while it is too early for that. */
export function nextTry(cause: DueBackup, runs: readonly BackupRun[], now: Date): DueBackup | undefined {
  const tries = runs.filter(
    ({ metadata }) => metadata.name === cause.name || metadata.name.startsWith(`${cause.name}-`),
  );
  const last = tries
    .map(({ status, metadata }) => status?.completionTime ?? metadata.creationTimestamp)
    .filter((time) => !isYetToCome(Date.parse(time), now))
    .toSorted()
    .at(-1);
  if (last !== undefined && now.getTime() - Date.parse(last) < firstRetry * 2 ** Math.min(tries.length - 1, 6))
    return undefined;
  if (tries.length === 0) return cause;
  const numbers = tries.map(({ metadata }) => Number(metadata.name.slice(cause.name.length + 1)) || 1);
  return { ...cause, name: `${cause.name}-${Math.max(...numbers) + 1}` };
}

function causeOf(policy: string, done: readonly BackupRun[], wal: WalStatus): DueBackup | undefined {
  const { timeline = 0, gaps = [] } = wal;
  if (!done.some(({ status }) => status?.server?.timeline === timeline))
    return {
      name: dueRunName(policy, `timeline-${timeline}`),
      why: `the server is on timeline ${timeline}, which has no base backup yet`,
    };
  const gap: WalGap | undefined = gaps.at(-1);
  if (gap === undefined || done.some(({ status }) => isAfter(status?.wal?.beginSegment, gap))) return undefined;
  return {
    name: dueRunName(policy, `gap-${gap.toWal.toLowerCase()}`),
    why: `the WAL from ${gap.fromWal} to ${gap.toWal} is missing in the archive`,
  };
}

/** `toWal` is itself missing. */
function isAfter(beginSegment: string | undefined, { toWal }: WalGap): boolean {
  return beginSegment !== undefined && beginSegment.slice(8) > toWal.slice(8);
}
