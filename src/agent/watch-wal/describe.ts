import type { WalGap, WalStatus } from '../../api/backup-policy.ts';
import type { Failure } from '../../domain/failure.ts';
import { segmentNameBefore } from '../../domain/wal/file-name.ts';
import { formatLsn, type Lsn } from '../../domain/wal/lsn.ts';
import { timelineAt } from '../../domain/wal/timeline-history.ts';
import { type ArchiverFacts, stillFailing, type WalPosition } from './observe-server.ts';
import type { SettingState } from './settings.ts';
import type { ReceiverState } from './stream/receive.ts';
import { type Slot, slotWarning } from './stream/slot.ts';
import type { ArchiveState } from './track-archive.ts';

export interface Observed {
  readonly systemIdentifier: string;
  readonly position: WalPosition;
  /** Of every repository that answers. */
  readonly archives: readonly {
    readonly name: string;
    readonly state: ArchiveState;
    /** What another has and this one does not, and what keeps it from catching up. */
    readonly lacking?: { readonly segments: number; readonly trouble: string | undefined };
  }[];
  /** Those that do not, though enough others do. */
  readonly silent?: readonly { readonly name: string; readonly failure: Failure }[];
  /** How many must have what counts as archived; absent: all. */
  readonly minimum?: number | undefined;
  readonly lastCommit: Date | undefined;
  readonly gaps: readonly WalGap[];
  readonly lagSeconds: number | undefined;
  /** Of a policy that asks for heartbeats. */
  readonly heartbeat?: WalStatus['heartbeat'];
  readonly mode:
    | { readonly kind: 'Archive'; readonly setting: SettingState; readonly archiver: ArchiverFacts }
    | { readonly kind: 'Stream'; readonly slot: Slot | undefined; readonly receiver: Readonly<ReceiverState> };
  /** Why the archive does not take what the server brings. */
  readonly refusal: Verdict | undefined;
  /** What hinders besides. */
  readonly trouble: Verdict | undefined;
}

export interface Verdict {
  readonly reason: string;
  readonly message: string;
}

type Report = NonNullable<WalStatus['report']>;

/** What stands in the policy's status. WAL is archived when as many repositories have it as the policy says. */
export function describeWal(observed: Observed, now: Date): WalStatus {
  const { position, archives, mode, systemIdentifier, lastCommit, gaps, lagSeconds } = observed;
  const state = heldArchive(
    archives.map((each) => each.state),
    observed.minimum,
  );
  const end = state?.end;
  const last = end === undefined || end === 0n ? undefined : lastSegment(state, end);
  const setting = settingOf(mode);
  const pending = pendingOf(observed, end);
  const time = archivedTime(observed, last, state?.storedTime);
  return {
    systemIdentifier,
    timeline: position.timeline,
    segmentSize: position.segmentSize,
    ...(last === undefined ? {} : { lastArchivedSegment: last }),
    ...(time === undefined ? {} : { lastArchivedTime: time.toISOString() }),
    ...(lastCommit === undefined ? {} : { lastCommitTime: lastCommit.toISOString() }),
    ...(end === undefined ? {} : { lagBytes: lagBetween(end, position.current).toString() }),
    ...(lagSeconds === undefined ? {} : { lagSeconds }),
    ...(pending === undefined ? {} : { pendingSegments: pending }),
    gaps: gaps.slice(-64),
    ...(setting === undefined ? {} : { setting: { ...bounded(setting), systemIdentifier, time: now.toISOString() } }),
    ...(mode.kind === 'Stream' && mode.slot !== undefined ? { slot: slotOf(mode.slot) } : {}),
    ...(observed.heartbeat === undefined ? {} : { heartbeat: observed.heartbeat }),
    report: bounded({ ...verdict(observed), time: now.toISOString() }),
  };
}

/** While a repository cannot be looked at: what was known of the archive stays, the slot is as it is now. */
export function describeOutage(
  told: WalStatus,
  mode: Observed['mode'],
  failure: Failure,
  segmentSize: number,
  now: Date,
): WalStatus {
  const setting = settingOf(mode);
  const slot = mode.kind === 'Stream' ? mode.slot : undefined;
  const lost = mode.kind === 'Stream' ? mode.receiver.lost : undefined;
  const warning = lost ?? (slot === undefined ? undefined : slotWarning(slot, segmentSize));
  const report = reportOf(failure, now);
  const said = {
    reason: warning?.reason ?? report.reason,
    message: [warning?.message, failure.message].filter(Boolean).join(' '),
  };
  return {
    ...told,
    ...(setting === undefined ? {} : { setting: bounded(setting) }),
    ...(slot === undefined ? {} : { slot: slotOf(slot) }),
    report: bounded({ ...report, ...said }),
  };
}

/** What keeps the watcher from looking. */
export function reportOf({ reason, message, retryable }: Failure, now: Date): Report {
  const stalled = retryable ? {} : { stalled: true };
  return bounded({ healthy: false, reason, message, time: now.toISOString(), ...stalled });
}

/**
 * Of those that must have the WAL, the one that is the furthest behind; one that has nothing yet is. Where not all must have
 * it, those that have the most count.
 */
export function heldArchive(states: readonly ArchiveState[], minimum?: number): ArchiveState | undefined {
  const furthest = states.toSorted((one, other) => {
    const [end, than] = [one.end ?? -1n, other.end ?? -1n];
    return end < than ? 1 : end > than ? -1 : 0;
  });
  return furthest[Math.min(minimum ?? states.length, states.length) - 1];
}

export function bounded<Said extends { readonly message?: string | undefined }>(said: Said): Said {
  return said.message === undefined ? said : { ...said, message: [...said.message].slice(0, 1024).join('') };
}

function lastSegment(state: ArchiveState | undefined, end: Lsn): string | undefined {
  if (state === undefined) return undefined;
  const { timeline, ancestors, segmentSize } = state.history;
  return segmentNameBefore(timelineAt(end - 1n, timeline, ancestors), end, segmentSize);
}

function lagBetween(end: Lsn, current: Lsn): bigint {
  return current > end ? current - end : 0n;
}

function archivedTime({ mode }: Observed, last: string | undefined, stored: Date | undefined): Date | undefined {
  const said = mode.kind === 'Archive' ? mode.archiver.lastArchived : undefined;
  return said !== undefined && said.name === last ? said.time : stored;
}

/** Whole segments that are not archived. */
function pendingOf({ mode, position }: Observed, end: Lsn | undefined): number | undefined {
  const known = mode.kind === 'Archive' ? mode.archiver.pending : undefined;
  if (known !== undefined || end === undefined) return known;
  const size = BigInt(position.segmentSize);
  return Number(lagBetween(end / size, position.current / size));
}

function settingOf(mode: Observed['mode']): SettingState | undefined {
  if (mode.kind === 'Archive') return mode.setting;
  const { receiver, slot } = mode;
  const { failure, switchDenied } = receiver;
  if (failure !== undefined && !failure.retryable)
    return { state: 'Refused', reason: failure.reason, message: failure.message };
  if (slot === undefined) return undefined;
  return switchDenied === undefined
    ? { state: 'Set' }
    : { state: 'Set', reason: 'MayNotSwitchWal', message: switchDenied };
}

function slotOf({ name, restart, walStatus, safeBytes }: Slot): NonNullable<WalStatus['slot']> {
  return {
    name,
    ...(restart === undefined ? {} : { restartLSN: formatLsn(restart) }),
    ...(walStatus === undefined ? {} : { walStatus }),
    ...(safeBytes === undefined ? {} : { safeBytes: safeBytes.toString() }),
  };
}

function verdict(observed: Observed): Omit<Report, 'time'> {
  const { mode, refusal, trouble, position } = observed;
  const found =
    mode.kind === 'Archive'
      ? (refusal ?? archiveTrouble(mode.setting, mode.archiver) ?? trouble)
      : (streamTrouble(mode, position.segmentSize) ?? trouble);
  if (found !== undefined) return { healthy: false, ...found, ...(found === refusal ? { stalled: true } : {}) };
  return {
    healthy: true,
    reason: mode.kind === 'Archive' ? 'Archiving' : 'Streaming',
    message: [
      summary(observed),
      ...(mode.kind === 'Stream' ? [mode.receiver.switchDenied ?? ''] : []),
      observed.heartbeat?.message ?? '',
    ]
      .join(' ')
      .trim(),
  };
}

function archiveTrouble(setting: SettingState, archiver: ArchiverFacts): Verdict | undefined {
  if (setting.state !== 'Set') return { reason: setting.reason ?? setting.state, message: setting.message ?? '' };
  const failing = stillFailing(archiver);
  if (failing === undefined) return undefined;
  return {
    reason: 'ArchiveCommandFailed',
    message: `The server could not archive ${failing.name} at ${failing.time.toISOString()} and keeps its WAL until it can. The container tidemark-wal of its pod says why in its log, and the server in its own.`,
  };
}

function streamTrouble(
  { receiver, slot }: Observed['mode'] & { readonly kind: 'Stream' },
  segmentSize: number,
): Verdict | undefined {
  const { failure, lost, streaming } = receiver;
  if (lost !== undefined) return lost;
  const warning = slot === undefined ? undefined : slotWarning(slot, segmentSize);
  if (failure === undefined) return warning ?? (streaming ? undefined : connecting);
  const message = warning === undefined ? failure.message : `${failure.message} ${warning.message}`;
  return { reason: warning?.reason ?? failure.reason, message };
}

const connecting = { reason: 'Connecting', message: 'The receiver is connecting to the server.' };

function summary({ archives, gaps, lastCommit, silent = [] }: Observed): string {
  const [gap] = gaps.slice(-1);
  const upTo = lastCommit === undefined ? '' : ` up to the commit of ${lastCommit.toISOString()}`;
  const where = archives.map(({ name }) => name).join(', ');
  const missing = gap === undefined ? '' : ` WAL is missing from ${gap.fromWal} to ${gap.toWal}.`;
  return `WAL is archived to ${where}${upTo}.${missing}${laggards(archives, silent)}`;
}

/** Those that the policy goes on without, each with what it lacks. */
function laggards(archives: Observed['archives'], silent: NonNullable<Observed['silent']>): string {
  const behind = archives.flatMap(({ name, lacking }) => {
    if (lacking === undefined) return [];
    const { segments, trouble } = lacking;
    const what = `${name} lacks ${segments} segment${segments === 1 ? '' : 's'} that another repository has`;
    return [trouble === undefined ? `${what}; they are being copied.` : `${what}, and cannot get them: ${trouble}`];
  });
  const away = silent.map(({ name, failure }) => `${name} cannot be asked and gets none: ${failure.message}`);
  return [...behind, ...away].map((each) => ` ${each}`).join('');
}
