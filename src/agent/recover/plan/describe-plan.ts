import type { PhysicalManifest } from '../../../domain/manifest.ts';
import { formatMoment } from '../../../domain/recovery/moment.ts';
import { graphOf } from '../../../domain/recovery/resolve-timeline.ts';
import type { PlanRecoveryTask } from '../../../domain/task.ts';
import { formatLsn } from '../../../domain/wal/lsn.ts';
import type { Followed } from './follow-target.ts';

export interface Described {
  readonly task: PlanRecoveryTask;
  /** The backup last; before it what it stands on, the full backup first. */
  readonly chain: readonly PhysicalManifest[];
  /** Newer backups that are not used, because what they stand on is not as it was. */
  readonly passedOver: readonly string[];
  readonly followed: Followed;
  readonly dataDirectory: string;
  readonly segments: readonly string[];
  readonly walBytes: number;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly newTimeline: number;
  /** Backups that failed their verification. */
  readonly failed?: readonly string[];
}

const longest = 1024;

/** What will be done, in order, for a person to read before it is. */
export function describePlan(described: Described): readonly string[] {
  const { task, chain, passedOver, followed, dataDirectory, segments, walBytes, settings, newTimeline } = described;
  const [manifest] = chain.slice(-1);
  if (manifest === undefined) throw new Error('a plan without a backup');
  const { tablespaces } = manifest.physical;
  const { path } = followed.candidate;
  const steps = [
    ...describeFailed(described),
    ...passedOver.map(
      (backupID) => `Leave the newer backup ${backupID} alone: it, or what it stands on, is not as it was.`,
    ),
    ...layingOf(manifest, chain, dataDirectory),
    ...(tablespaces.length === 0
      ? []
      : [
          `Put ${tablespaces.length === 1 ? 'the tablespace' : 'the tablespaces'} of ${tablespaces.map(({ location }) => location).join(', ')} beside the data directory, on the same volume, and link ${tablespaces.length === 1 ? 'it' : 'them'} from pg_tblspc.`,
        ]),
    ...(settings.length === 0
      ? []
      : [
          `Replay with settings at least as high as the source's: ${settings.map(({ name, value }) => `${name} ${value}`).join(', ')}.`,
        ]),
    `Replay ${segments.length === 1 ? 'the WAL segment' : `${segments.length} WAL segments from`} ${segments.length === 1 ? segments[0] : `${segments[0]} to ${segments.at(-1)}`} (${sizeOf(walBytes)}) along timeline ${graphOf(path)}.`,
    stopOf(task.target, followed),
    ...clockOf(followed),
    `Promote the server to timeline ${newTimeline}, and shut it down cleanly.`,
    `Then ${task.destination}.`,
  ];
  return steps.map((step) => [...step].slice(0, longest).join(''));
}

function describeFailed({ chain, failed = [] }: Described): readonly string[] {
  const used = chain.map(({ backupID }) => backupID).filter((backupID) => failed.includes(backupID));
  if (used.length > 0)
    return [
      `Use backup ${used.join(', ')} though it failed its verification: nothing else was asked for, or leads there.`,
    ];
  if (failed.length === 0) return [];
  return [`Pass over ${failed.join(', ')}, which failed ${failed.length === 1 ? 'its' : 'their'} verification.`];
}

function layingOf(manifest: PhysicalManifest, chain: readonly PhysicalManifest[], dataDirectory: string) {
  const { endLSN, timeline } = manifest.physical;
  const whole = `whole at ${endLSN} on timeline ${timeline}, ${manifest.completionTime}`;
  const of = `${manifest.backupID} of PostgreSQL ${manifest.server.version}`;
  if (chain.length === 1) {
    return [`Lay base backup ${of} (${sizeOf(manifest.size.source)}; ${whole}) into ${dataDirectory}.`];
  }
  const members = chain.map(({ backupID, size }) => `${backupID} (${sizeOf(size.source)})`);
  const [full = '', ...increments] = members;
  const shown = increments.length > 6 ? [...increments.slice(0, 3), '…', ...increments.slice(-2)] : increments;
  return [
    `Lay the chain of backup ${of} beside each other, checking every object: the full backup ${full} and ${increments.length === 1 ? 'the increment' : `${increments.length} increments`} ${shown.join(', ')}.`,
    `Combine them with pg_combinebackup (${whole}) into ${dataDirectory}, and remove what they were combined of.`,
  ];
}

function stopOf(target: PlanRecoveryTask['target'], { targetTime, stop, candidate, wal, end }: Followed): string {
  const before = target.exclusive ? 'just before' : 'just after';
  if (targetTime !== undefined) {
    return `Stop after the last transaction that was committed ${target.exclusive ? 'before' : 'by'} ${formatMoment(targetTime)}.`;
  }
  if (target.targetLSN !== undefined) return `Stop ${before} the record at ${target.targetLSN}.`;
  if (target.targetName !== undefined) {
    return `Stop at the restore point ${JSON.stringify(target.targetName)} at ${formatLsn(stop ?? wal.end)}.`;
  }
  if (target.targetXID !== undefined) {
    return `Stop ${before} transaction ${target.targetXID} ends. Whether it is in the WAL after the backup, only replay finds out: where it is not, the recovery fails, and nothing is promoted.${wal.missing === undefined ? '' : ` Replay can go as far as ${formatLsn(wal.end)}: ${wal.missing} is missing.`}`;
  }
  if (target.targetImmediate === true) return `Stop at the backup's end, ${formatLsn(candidate.backup.end)}.`;
  const last = end.lastCommit === undefined ? '' : `, the last commit of ${formatMoment(end.lastCommit)} included`;
  return `Stop at the end of the archived WAL, ${formatLsn(end.endOfRecords ?? wal.end)}${last}.`;
}

/** What PostgreSQL's rule for a moment costs where the source's clock had been ahead. */
function clockOf({ clockAhead, targetTime, end: { lastCommit } }: Followed): readonly string[] {
  if (clockAhead === undefined || targetTime === undefined || lastCommit === undefined) return [];
  return [
    `The source's clock had been ahead, and was set back: the WAL has a commit of ${formatMoment(clockAhead)} before the last one, which is of ${formatMoment(lastCommit)}. Replay stops at the first commit that is later than the target, so what was committed behind that one by ${formatMoment(targetTime)} is left out; for that, ask for a targetLSN or a targetXID, or leave the target out.`,
  ];
}

export function sizeOf(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
