import { type Failure, terminal, transient } from '../../../domain/failure.ts';

/** What the plan says of the target, for a message. */
export interface Wanted {
  /** Such as `time 2026-11-21T10:15:00Z`. */
  readonly target: string;
  readonly endOfArchive: string;
  readonly endOfArchiveTime: string | undefined;
}

type Explanation = (said: string, log: string, wanted: Wanted) => Failure;

/** PostgreSQL's words (xlog.c, xlogrecovery.c, timeline.c, postinit.c), from those that say most to those that say least. */
const table: readonly (readonly [RegExp, Explanation])[] = [
  [/recovery ended before configured recovery target was reached/, (_, log, wanted) => notReached(log, wanted)],
  [
    /requested timeline \d+ is not a child of this server's history.*|requested timeline \d+ does not contain minimum recovery point.*|recovery target timeline \d+ does not exist/,
    (said) =>
      terminal(
        'TimelineUnreachable',
        `The server cannot go from the backup to the timeline asked for: ${said}. Choose a backup that was made before the timelines parted (recoveryTarget.backupID), or another targetTLI.`,
      ),
  ],
  [
    /No space left on device|Disk quota exceeded/,
    (said) =>
      terminal(
        'DiskFull',
        `The volume ran full during replay: ${said}. Give it more room: target.instance.storage.size, or the claim of the workload.`,
      ),
  ],
  [
    /could not access file "[^"]*": No such file or directory|could not load library .*|resource manager with ID \d+ not registered/,
    (said) =>
      terminal(
        'LibraryMissing',
        `The image lacks a library that the server's settings or its WAL ask for: ${said}. Recover with the image that the source runs (target.instance.image).`,
      ),
  ],
  [
    /this image holds no server of PostgreSQL \d+|database files are incompatible with server|was initialized by PostgreSQL version .*/,
    (said) =>
      terminal(
        'VersionMismatch',
        `The image does not fit the backup: ${said}. Recover with an image of the same major (target.instance.image).`,
      ),
  ],
  [
    /(could not map anonymous shared memory|out of memory|Cannot allocate memory).*/,
    (said) =>
      transient(
        'OutOfMemory',
        `The server had too little memory: ${said}. If it stays so, raise jobTemplate.resources.limits.memory, or lower shared_buffers.`,
      ),
  ],
  [
    /could not locate (a valid|required) checkpoint record|WAL ends before (end of online backup|consistent recovery point).*|backup_label contains .*|incorrect checksum in control file/,
    (said) =>
      terminal(
        'CorruptedBackup',
        `The server cannot begin with this backup: ${said}. Recover from another one (recoveryTarget.backupID), and keep this one for examination.`,
      ),
  ],
];

/** What it says to those who look at it before it is ready: this agent. */
const ours = /^the database system is |^role "[^"]*" does not exist$|^terminating connection /;

/** Why the server ended: its last words as what they mean for the recovery. */
export function explainLog(log: string, exitCode: number, wanted: Wanted): Failure {
  const grave = linesOf(log, /\b(FATAL|PANIC|ERROR):\s+(.*)$/).filter((line) => !ours.test(line));
  for (const [pattern, explain] of table) {
    const said = grave.map((line) => pattern.exec(line)?.[0]).find((found) => found !== undefined);
    if (said !== undefined) return explain(said, log, wanted);
  }
  const words = grave.length > 0 ? grave.slice(-3).join('; ') : lastLines(log);
  return transient(
    'RecoveryFailed',
    `The server of the recovery ended with code ${exitCode} before it was recovered: ${words || 'it said nothing'}. The log of the container postgres has the rest.`,
  );
}

function notReached(log: string, { target, endOfArchive, endOfArchiveTime }: Wanted): Failure {
  const time = lastCommitTime(log);
  const last = time === undefined ? undefined : `the last transaction that could be replayed was committed at ${time}`;
  const redone = lastMatch(log, /redo done at ([0-9A-F]+\/[0-9A-F]+)/)?.[1];
  const place = redone === undefined ? `the archive ends at ${endOfArchive}` : `the last record is at ${redone}`;
  const end = endOfArchiveTime === undefined || time !== undefined ? '' : `, committed until ${endOfArchiveTime}`;
  return terminal(
    'TargetNotReached',
    `The WAL ends before the target (${target}): ${[place + end, ...(last === undefined ? [] : [last])].join(', and ')}. ${time === undefined ? 'Recover to the end of the archive (no target)' : `Ask for a targetTime of ${time} or before, or for the end of the archive (no target)`}, in a new PitrRecovery.`,
  );
}

/** RFC 3339, of the last transaction that replay knows of. */
export function lastCommitTime(log: string): string | undefined {
  const found = lastMatch(log, /last completed transaction was at log time (\S+ \S+)/)?.[1];
  return found === undefined ? undefined : fromLogTime(found);
}

/** Of timestamptz_to_str(): `2026-11-21 10:15:00.123456+01`. undefined for what is none. */
export function fromLogTime(text: string): string | undefined {
  const [, day, clock, sign, hours, minutes = '00'] =
    /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-])(\d\d)(?::(\d\d))?/.exec(text) ?? [];
  if (day === undefined) return undefined;
  const milliseconds = Date.parse(`${day}T${clock}${sign}${hours}:${minutes}`);
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}

export interface TooLow {
  readonly name: string;
  readonly needed: number;
}

/**
 * A setting that was raised on the primary after the backup: hot standby stops replay there until the server is started
 * with the value that replay has met (PostgreSQL, "Hot Standby", Administrator's Overview).
 */
export function settingsTooLow(log: string): readonly TooLow[] {
  const found = new Map<string, number>();
  const pattern =
    /(max_\w+) = \d+ is a lower setting than on the (?:primary|master) server(?:,| \(its value was|) ?(?:where its value was )?(\d+)/g;
  for (const [, name = '', value = '0'] of log.matchAll(pattern)) {
    found.set(name, Math.max(found.get(name) ?? 0, Number(value)));
  }
  return [...found].map(([name, needed]) => ({ name, needed }));
}

function linesOf(log: string, pattern: RegExp): readonly string[] {
  return log.split('\n').flatMap((line) => pattern.exec(line)?.[2] ?? []);
}

function lastMatch(log: string, pattern: RegExp): RegExpExecArray | undefined {
  return log
    .split('\n')
    .map((line) => pattern.exec(line))
    .findLast((match) => match !== null) as RegExpExecArray | undefined;
}

function lastLines(log: string): string {
  return log.trim().split('\n').slice(-5).join(' | ').slice(-1000);
}
