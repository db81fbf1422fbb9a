import { join } from 'node:path';
import type { RecoveryPlan, RecoveryTarget } from '../../../api/pitr-recovery.ts';
import { terminal } from '../../../domain/failure.ts';

/** Hot standby refuses lower values than the primary had (PostgreSQL, "Administrator's Overview" of hot standby). */
const floors = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

export interface ServerPlaces {
  readonly recovery: string;
  readonly dataDirectory: string;
  /** Where the data directory holds no postgresql.conf of its own, as Debian's packages keep it elsewhere. */
  readonly configFile: string | undefined;
}

/**
 * The server's command line: it is above every file of settings, so that none has to be changed, and nothing of the
 * recovery stays behind. One argument a line of the file that recover.sh reads.
 */
export function serverArguments(
  target: RecoveryTarget,
  plan: Pick<RecoveryPlan, 'targetTimeline' | 'major'>,
  floor: ReadonlyMap<string, number>,
  places: ServerPlaces,
  { standby, ephemeral = false }: { readonly standby: boolean; readonly ephemeral?: boolean },
): readonly string[] {
  const { recovery, dataDirectory, configFile } = places;
  const settings: readonly (readonly [string, string])[] = [
    ...(configFile === undefined ? [] : ([['config_file', configFile]] as const)),
    ['data_directory', dataDirectory],
    ['hba_file', join(recovery, 'pg_hba.conf')],
    ['ident_file', join(recovery, 'pg_ident.conf')],
    ['listen_addresses', ''],
    ['port', '5432'],
    ['unix_socket_directories', recovery],
    ['ssl', 'off'],
    ...quietly,
    ...(ephemeral ? notArchiving(plan) : withoutArchiver(plan)),
    ...readableLog,
    ['restore_command', restoreCommand(join(recovery, 'get-wal.sh'))],
    ['recovery_end_command', ''],
    ['archive_cleanup_command', ''],
    ['recovery_min_apply_delay', '0'],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ...targetSettings(target, plan, standby),
    ...[...floor].map(([name, value]) => [name, String(value)] as const),
  ];
  return ['-D', dataDirectory, ...settings.flatMap(([name, value]) => ['-c', oneLine(`${name}=${value}`)])];
}

/** A shell that cannot open a script says 2, which PostgreSQL would take for the end of the archive. */
function restoreCommand(script: string): string {
  return `[ -r "${script}" ] || exit 126; exec sh "${script}" "%f" "%p"`;
}

/** A recovered copy must touch nothing of what the original touches. */
const quietly = [
  ['hot_standby', 'on'],
  ['fsync', 'on'],
  // Nobody confirms its commits.
  ['synchronous_standby_names', ''],
  // Subscriptions would take over the original's slots at the publisher.
  ['max_logical_replication_workers', '0'],
  ['cron.launch_active_jobs', 'off'],
  ['autovacuum', 'off'],
  ['huge_pages', 'try'],
  ['restart_after_crash', 'off'],
] as const;

/**
 * Nothing is archived from here, but the new timeline's history file is marked for it: where archiving goes on after the
 * recovery, that file is what joins the two timelines.
 */
function withoutArchiver({ major }: Pick<RecoveryPlan, 'major'>): readonly (readonly [string, string])[] {
  const library = major >= 15 ? ([['archive_library', '']] as const) : [];
  return [['archive_mode', 'on'], ['archive_command', ''], ...library];
}

/** Of a server that goes when it has been questioned, nothing is to be archived ever. */
function notArchiving(plan: Pick<RecoveryPlan, 'major'>): readonly (readonly [string, string])[] {
  return withoutArchiver(plan).map(([name, value]) => [name, name === 'archive_mode' ? 'off' : value]);
}

/** explain-log.ts reads it. */
const readableLog = [
  ['logging_collector', 'off'],
  ['log_destination', 'stderr'],
  ['log_line_prefix', '%m [%p] '],
  ['log_min_messages', 'warning'],
  ['log_error_verbosity', 'default'],
  ['log_statement', 'none'],
  ['lc_messages', 'C'],
] as const;

/**
 * The one target. The others are emptied before it: a data directory may hold those of an earlier recovery, and
 * PostgreSQL refuses two.
 */
function targetSettings(
  target: RecoveryTarget,
  { targetTimeline }: Pick<RecoveryPlan, 'targetTimeline'>,
  standby: boolean,
): readonly (readonly [string, string])[] {
  const none = ['', '_time', '_lsn', '_xid', '_name'].map((kind) => [`recovery_target${kind}`, ''] as const);
  const wanted = standby ? [] : wantedTarget(target);
  const immediate = !standby && target.targetImmediate === true;
  return [
    ...none,
    ...wanted,
    ['recovery_target_inclusive', target.exclusive ? 'off' : 'on'],
    ['recovery_target_timeline', immediate ? 'current' : String(targetTimeline)],
    ['recovery_target_action', 'promote'],
  ];
}

function wantedTarget(target: RecoveryTarget): readonly (readonly [string, string])[] {
  if (target.targetTime !== undefined) return [['recovery_target_time', postgresTime(target.targetTime)]];
  if (target.targetLSN !== undefined) return [['recovery_target_lsn', target.targetLSN]];
  if (target.targetXID !== undefined) return [['recovery_target_xid', target.targetXID]];
  if (target.targetName !== undefined) return [['recovery_target_name', target.targetName]];
  return target.targetImmediate === true ? [['recovery_target', 'immediate']] : [];
}

/** With a numeric offset, which no setting of the server can reinterpret, and no more digits than it keeps. */
export function postgresTime(time: string): string {
  return time
    .replace(/[Tt]/, ' ')
    .replace(/[Zz]$/, '+00:00')
    .replace(/([.][0-9]{6})[0-9]+/, '$1');
}

/** The highest of each that anybody named. */
export function settingFloors(
  named: readonly { readonly name: string; readonly value: string }[],
): ReadonlyMap<string, number> {
  const highest = new Map<string, number>();
  for (const { name, value } of named) {
    if (!floors.some((floor) => floor === name) || !/^\d+$/.test(value)) continue;
    highest.set(name, Math.max(Number(value), highest.get(name) ?? 0));
  }
  return highest;
}

function oneLine(argument: string): string {
  if (!/[\r\n\0]/.test(argument)) return argument;
  throw terminal(
    'InvalidRequest',
    `${JSON.stringify(argument)} cannot be given to a server: it has a line break in it. Correct the recovery target.`,
  );
}
