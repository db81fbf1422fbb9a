import { Failure } from '../../domain/failure.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import type { Query } from '../../postgres/query.ts';
import {
  type Decision,
  decideArchiving,
  decideRemoval,
  type EffectiveSetting,
  type FileSetting,
  type ServerSettings,
  type SettingState,
} from './settings.ts';

/** Sets the server up to archive through the sidecar, where that is not done yet. */
export async function setUpArchiving(
  query: Query,
  server: ChosenServer,
  archiveTimeoutSeconds: number,
  summarizeWal: boolean = false,
): Promise<SettingState> {
  return apply(query, server, decideArchiving(await readSettings(query, server), archiveTimeoutSeconds, summarizeWal));
}

/** Takes back what was set up; in effect from the server's next start on. */
export async function removeArchiving(query: Query, server: ChosenServer): Promise<SettingState> {
  return apply(query, server, decideRemoval(await readSettings(query, server)));
}

async function apply(query: Query, { access }: ChosenServer, decision: Decision): Promise<SettingState> {
  for (const statement of decision.statements) await query(statement);
  if (!decision.reload) return decision.state;
  try {
    await query('SELECT pg_catalog.pg_reload_conf()');
    return decision.state;
  } catch (error) {
    if (!isDenied(error)) throw error;
    return {
      state: 'Set',
      reason: 'ReloadNeeded',
      message: `Settings have new values, and the role ${access.username} may not make the server read them. As a superuser, run: SELECT pg_reload_conf(); or GRANT EXECUTE ON FUNCTION pg_reload_conf() TO ${quoteIdentifier(access.username)};`,
    };
  }
}

const names = [
  'archive_mode',
  'archive_command',
  'archive_library',
  'archive_timeout',
  'wal_level',
  'max_wal_senders',
  'allow_alter_system',
  'summarize_wal',
];

export async function readSettings(query: Query, { access, facts }: ChosenServer): Promise<ServerSettings> {
  const rows = await query<EffectiveSetting & { readonly name: string }>(
    'SELECT name, setting, reset_val AS raw, source FROM pg_catalog.pg_settings WHERE name = ANY ($1)',
    [names],
  );
  return {
    effective: new Map(rows.map(({ name, ...row }) => [name, row])),
    files: await readFiles(query),
    mayAlter: await readRights(query, facts.major),
    role: access.username,
    major: facts.major,
  };
}

async function readFiles(query: Query): Promise<readonly FileSetting[] | undefined> {
  try {
    return await query<FileSetting>(
      "SELECT name, setting, sourcefile LIKE '%/postgresql.auto.conf' AS automatic FROM pg_catalog.pg_file_settings WHERE name = ANY ($1) ORDER BY seqno",
      [names],
    );
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}

async function readRights(query: Query, major: number): Promise<ReadonlySet<string>> {
  // Before PostgreSQL 15 it is the superuser's alone.
  const may = major >= 15 ? "pg_catalog.has_parameter_privilege(name, 'ALTER SYSTEM')" : 'false';
  const rows = await query<{ readonly name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name WHERE current_setting('is_superuser') = 'on' OR ${may}`,
    [names],
  );
  return new Set(rows.map(({ name }) => name));
}

export function isDenied(error: unknown): boolean {
  return error instanceof Failure && error.reason === 'PermissionDenied';
}
