import { type Command, Option } from 'commander';
import { formatMoment } from '../domain/recovery/moment.ts';
import { usage } from './exit-code.ts';
import { parsePastMoment } from './parse-moment.ts';
import { timeZoneOption } from './period.ts';
import type { Session } from './session.ts';

export interface TargetOptions {
  readonly to?: string;
  readonly timeZone?: string;
  readonly toLsn?: string;
  readonly toXid?: string;
  readonly toName?: string;
  readonly immediate?: boolean;
  readonly latest?: boolean;
  readonly exclusive?: boolean;
  readonly timeline?: string;
  readonly backupId?: string;
}

export function targetOptions(command: Command): Command {
  return command
    .option('--to <time>', 'that moment: "10 minutes ago", "yesterday 10:15", 2026-11-21T10:15:00+01:00')
    .option(
      '--time-zone <name>',
      "in which --to is meant, such as Europe/Amsterdam; default: this machine's",
      timeZoneOption,
    )
    .option('--to-lsn <lsn>', 'that position of the WAL')
    .option('--to-xid <xid>', 'that transaction')
    .option('--to-name <name>', 'that restore point, made by pg_create_restore_point()')
    .option('--immediate', "the base backup's end")
    .option('--latest', 'the end of the archived WAL')
    .option('--exclusive', 'just before the time, position or transaction')
    .addOption(new Option('--timeline <timeline>', 'latest (default), current, or a number'))
    .option('--backup-id <id>', 'begin with this base backup; default: the newest before the target');
}

/** spec.recoveryTarget; the time as one instant in UTC, however it was said. `whole`: nothing said means the end of the WAL. */
export function recoveryTarget(
  session: Session,
  options: TargetOptions,
  whole = false,
): Readonly<Record<string, unknown>> {
  const {
    to,
    timeZone = session.timeZone,
    toLsn,
    toXid,
    toName,
    immediate,
    latest,
    exclusive,
    timeline,
    backupId,
  } = options;
  const targets = [
    ...(to === undefined ? [] : [{ targetTime: formatMoment(parsePastMoment(to, session.clock.now(), timeZone)) }]),
    ...(toLsn === undefined ? [] : [{ targetLSN: toLsn }]),
    ...(toXid === undefined ? [] : [{ targetXID: toXid }]),
    ...(toName === undefined ? [] : [{ targetName: toName }]),
    ...(immediate === true ? [{ targetImmediate: true }] : []),
    ...(latest === true ? [{}] : []),
  ];
  const [target] = targets;
  if (targets.length > 1)
    throw usage('Say one target only: --to, --to-lsn, --to-xid, --to-name, --immediate or --latest.');
  if (target === undefined && !whole)
    throw usage(
      'Say where to stop: --to "10 minutes ago", or --latest for all that is archived; --help has the others.',
    );
  return {
    ...target,
    ...(exclusive === true ? { exclusive: true } : {}),
    ...(timeline === undefined ? {} : { targetTLI: /^[0-9]+$/.test(timeline) ? Number(timeline) : timeline }),
    ...(backupId === undefined ? {} : { backupID: backupId }),
  };
}
