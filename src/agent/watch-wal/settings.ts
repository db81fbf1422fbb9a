import type { WalStatus } from '../../api/backup-policy.ts';
import { mounts } from '../../domain/mounts.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';

/** What the sidecar's script is called with (PostgreSQL, "Continuous Archiving"). */
export const archiveCommand = `sh ${mounts.walSpool}/archive.sh "%p" "%f"`;

/** As pg_settings has it; `raw` is reset_val, which tells archive_command also while archive_mode is off. */
export interface EffectiveSetting {
  readonly setting: string;
  readonly raw: string | null;
  readonly source: string;
}

/** A line of pg_file_settings. */
export interface FileSetting {
  readonly name: string;
  readonly setting: string;
  /** In postgresql.auto.conf, where ALTER SYSTEM writes. */
  readonly automatic: boolean;
}

export interface ServerSettings {
  readonly effective: ReadonlyMap<string, EffectiveSetting>;
  /** In the order in which the server reads them: the last line of a name counts. undefined where the role may not see them. */
  readonly files: readonly FileSetting[] | undefined;
  /** Names that the role may ALTER SYSTEM. */
  readonly mayAlter: ReadonlySet<string>;
  readonly role: string;
  readonly major: number;
}

export type SettingState = NonNullable<WalStatus['setting']>;

export interface Decision {
  readonly state: SettingState;
  /** To run one by one, each outside of a transaction. */
  readonly statements: readonly string[];
  /** Whether the server may read its files anew now: only where the script is known to be in its place. */
  readonly reload: boolean;
}

const ours = ['archive_mode', 'archive_command', 'archive_timeout'] as const;

/** What makes the server archive through the sidecar, or why that must not or cannot be done. */
export function decideArchiving(
  server: ServerSettings,
  archiveTimeoutSeconds: number,
  summarizeWal: boolean = false,
): Decision {
  const refusal = foreignArchiver(server) ?? pinned(server);
  if (refusal !== undefined) return { state: refusal, statements: [], reload: false };
  const changes = wanted(server, archiveTimeoutSeconds).filter(
    ([name, value]) => !isWritten(server, name, value) && !isPinned(server, name),
  );
  const denied = mayNot(
    server,
    changes.map(([name]) => name),
  );
  if (denied !== undefined) return { state: denied, statements: [], reload: false };
  const statements = changes.map(([name, value]) => `ALTER SYSTEM SET ${name} = '${value.replaceAll("'", "''")}'`);
  const running = inEffect(server);
  // With a minimal wal_level the server would not start; that is another one when the archive runs.
  const summaries = running && summarizeWal ? decideSummaries(server) : nothingToDo;
  return {
    state: running ? { state: 'Set', ...summaries.note } : restartNeeded(server),
    statements: [...statements, ...summaries.statements],
    reload:
      running &&
      (summaries.reload ||
        (setting(server, 'archive_timeout') !== String(archiveTimeoutSeconds) && !isPinned(server, 'archive_timeout'))),
  };
}

interface Summaries {
  readonly statements: readonly string[];
  readonly reload: boolean;
  readonly note: Pick<SettingState, 'reason' | 'message'>;
}

const nothingToDo: Summaries = { statements: [], reload: false, note: {} };

/** Increments need summarize_wal. Archiving does not: what stands in its way is said, and hinders nothing. */
function decideSummaries(server: ServerSettings): Summaries {
  const name = 'summarize_wal';
  const present = setting(server, name);
  if (present === undefined || present === 'on') return nothingToDo;
  if (isWritten(server, name, 'on') && !isPinned(server, name)) return { ...nothingToDo, reload: true };
  if (!isPinned(server, name) && mayNot(server, [name]) === undefined)
    return { statements: [`ALTER SYSTEM SET ${name} = 'on'`], reload: true, note: {} };
  const message = `Increments are scheduled, and summarize_wal is off and not for the role ${server.role} to change, so that full backups are made in their place. As a superuser, run: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); or, where its command line or a file that is managed elsewhere says off, set it there.`;
  return { statements: [], reload: false, note: { reason: 'SummarizeWalOff', message } };
}

/** Takes back what decideArchiving() had written; what is another's stays. It takes effect with the next start. */
export function decideRemoval(server: ServerSettings): Decision {
  const removed: Decision = { state: { state: 'Removed' }, statements: [], reload: false };
  if (!isOurs(server)) return removed;
  const names = writtenByUs(server);
  const denied = mayNot(server, names);
  if (denied !== undefined) return { ...removed, state: denied };
  return { ...removed, statements: names.map((name) => `ALTER SYSTEM RESET ${name}`) };
}

function wanted(server: ServerSettings, archiveTimeoutSeconds: number): readonly (readonly [string, string])[] {
  return [
    // First: with archive_mode alone, a server with wal_level minimal would not start.
    ...(setting(server, 'wal_level') === 'minimal' ? [['wal_level', 'replica'] as const] : []),
    ['archive_command', archiveCommand],
    ['archive_timeout', String(archiveTimeoutSeconds)],
    ...(isOn(setting(server, 'archive_mode')) ? [] : [['archive_mode', 'on'] as const]),
  ];
}

/** Whether the server's next start finds the value. */
function isWritten({ files, effective }: ServerSettings, name: string, value: string): boolean {
  if (files === undefined) return effective.get(name)?.raw === value;
  return files.findLast((line) => line.name === name)?.setting === value;
}

function inEffect(server: ServerSettings): boolean {
  return (
    isOn(setting(server, 'archive_mode')) &&
    setting(server, 'archive_command') === archiveCommand &&
    setting(server, 'wal_level') !== 'minimal'
  );
}

function restartNeeded(server: ServerSettings): SettingState {
  const message = isOn(setting(server, 'archive_mode'))
    ? 'archive_command is written and takes effect when the server is restarted with the sidecar beside it.'
    : 'archive_mode is written and takes effect when the server is restarted.';
  return { state: 'RestartNeeded', reason: 'RestartNeeded', message };
}

/** An archiver of somebody else, at work. A command that keeps nothing may be replaced. */
function foreignArchiver(server: ServerSettings): SettingState | undefined {
  if (!isOn(setting(server, 'archive_mode'))) return undefined;
  const library = setting(server, 'archive_library') ?? '';
  if (library !== '') return foreign('archive_library', library);
  const command = setting(server, 'archive_command') ?? '';
  if (command === archiveCommand || keepsNothing(command)) return undefined;
  return foreign('archive_command', command);
}

function foreign(name: string, value: string): SettingState {
  return {
    state: 'Refused',
    reason: 'ForeignArchiver',
    message: `The server archives its WAL already, with ${name} = '${value.slice(0, 300)}'. A server has one archiver, and this one stays. To have Tidemark archive, take it away (ALTER SYSTEM RESET ${name}, or its line in the configuration, then SELECT pg_reload_conf()); or set walArchiving.mode: Stream, which leaves it alone.`,
  };
}

function keepsNothing(command: string): boolean {
  return ['', '(disabled)', ':', 'true', 'false', 'exit 0'].includes(command.trim().replace(/^(\/usr)?\/bin\//, ''));
}

/** What the command line says beats every file. */
function pinned(server: ServerSettings): SettingState | undefined {
  const needed = [
    ['archive_mode', 'on', isOn(setting(server, 'archive_mode'))],
    ['wal_level', 'replica', setting(server, 'wal_level') !== 'minimal'],
    ['archive_command', archiveCommand, raw(server, 'archive_command') === archiveCommand],
  ] as const;
  const wrong = needed.find(([name, , fits]) => !fits && isPinned(server, name));
  if (wrong === undefined) return undefined;
  const [name, value] = wrong;
  return {
    state: 'Refused',
    reason: 'SettingPinned',
    message: `The server is started with ${name} = '${raw(server, name) ?? ''}' on its command line or in its environment, which no file can change. Take it out of the workload's command, args or env (or set it to '${value}' there), or set walArchiving.mode: Stream.`,
  };
}

function isPinned({ effective }: ServerSettings, name: string): boolean {
  const source = effective.get(name)?.source;
  return source === 'command line' || source === 'environment variable';
}

function mayNot(server: ServerSettings, names: readonly string[]): SettingState | undefined {
  if (names.length === 0) return undefined;
  if (setting(server, 'allow_alter_system') === 'off') {
    return {
      state: 'Refused',
      reason: 'AlterSystemDisabled',
      message: `allow_alter_system is off, so ${names.join(', ')} must be changed where the server's configuration is kept. Archiving needs there: archive_mode = on, archive_command = '${archiveCommand}'. Without Tidemark they go away again.`,
    };
  }
  const denied = names.filter((name) => !server.mayAlter.has(name));
  if (denied.length === 0) return undefined;
  const role = quoteIdentifier(server.role);
  const remedy =
    server.major >= 15
      ? `As a superuser, run: GRANT ALTER SYSTEM ON PARAMETER ${denied.join(', ')} TO ${role};`
      : `Before PostgreSQL 15 only a superuser may: ALTER ROLE ${role} SUPERUSER; or set them yourself: archive_mode = on, archive_command = '${archiveCommand}'.`;
  return {
    state: 'Refused',
    reason: 'MayNotAlterSystem',
    message: `The role ${server.role} may not change ${denied.join(', ')}. ${remedy} Or set walArchiving.mode: Stream, which changes nothing in the server.`,
  };
}

function isOurs(server: ServerSettings): boolean {
  const { files, mayAlter } = server;
  const effective = raw(server, 'archive_command') ?? '';
  // Written, and not yet in effect: that cannot be seen then, and who may not write has not written.
  if (files === undefined) return effective === archiveCommand || (effective === '' && mayAlter.has('archive_command'));
  return files.some((line) => line.automatic && line.name === 'archive_command' && line.setting === archiveCommand);
}

/** wal_level goes back only where nothing can have come to need it: with senders allowed, a minimal one would not start. */
function writtenByUs({ files, effective, mayAlter }: ServerSettings): readonly string[] {
  const isKnown = effective.has('summarize_wal') && mayAlter.has('summarize_wal');
  // Before wal_level, without which it must not be on.
  const all = isKnown ? (['summarize_wal', ...ours] as const) : ours;
  if (files === undefined) return all;
  const noSenders =
    effective.get('max_wal_senders')?.raw === '0' &&
    files.every((line) => line.name !== 'max_wal_senders' || line.setting === '0');
  const names = [...all, ...(noSenders ? ['wal_level'] : [])];
  return names.filter((name) => files.some((line) => line.automatic && line.name === name));
}

function isOn(value: string | undefined): boolean {
  return value === 'on' || value === 'always';
}

function setting({ effective }: ServerSettings, name: string): string | undefined {
  return effective.get(name)?.setting;
}

function raw({ effective }: ServerSettings, name: string): string | undefined {
  return effective.get(name)?.raw ?? undefined;
}
