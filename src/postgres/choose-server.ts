import { Failure, terminal, transient } from '../domain/failure.ts';
import type { ServerTask } from '../domain/task.ts';
import type { ServerAccess } from './access.ts';
import { type Query, withConnection } from './query.ts';

export interface ChosenServer {
  readonly access: ServerAccess;
  readonly facts: ServerIdentity;
}

export interface ServerIdentity {
  /** As `SHOW server_version` says it, without what a packager added: 15.14. */
  readonly version: string;
  /** server_version_num: 150014. */
  readonly versionNumber: number;
  readonly major: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly role: 'Primary' | 'Standby';
}

const connectTimeout = 10_000;

/**
 * Finds the server to speak to among the candidates: the primary, or a standby where one is preferred and there is one.
 * A single host is taken as it is. Candidates that do not answer are passed over, as long as another one fits.
 */
export async function chooseServer(
  { hosts, database, role }: Pick<ServerTask, 'hosts' | 'database' | 'role'>,
  access: ServerAccess,
  signal: AbortSignal,
): Promise<ChosenServer> {
  const failures: Failure[] = [];
  let other: ChosenServer | undefined;
  for (const host of hosts) {
    const found = await tryCandidate({ ...access, host }, database, signal, failures);
    if (found === undefined) continue;
    if (hosts.length === 1 || fits(found, role)) return found;
    other ??= found;
  }
  if (other !== undefined && role === 'PreferStandby') return other;
  if (other !== undefined) {
    throw transient(
      'NoPrimary',
      `None of ${hosts.join(', ')} is a primary${failures.length === 0 ? '' : ` (${failures.map(({ message }) => message).join(' ')})`}. If a failover is under way it will be tried again; otherwise set source.role: PreferStandby, or name the primary.`,
    );
  }
  // What a person must mend comes first: a password that is wrong on one candidate is wrong on all.
  throw failures.find(({ retryable }) => !retryable) ?? failures[0] ?? terminal('NoServer', 'No server was named.');
}

async function tryCandidate(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
  failures: Failure[],
): Promise<ChosenServer | undefined> {
  try {
    const facts = await identify(access, database, signal);
    return { access, facts };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failures.push(error);
    return undefined;
  }
}

function fits({ facts }: ChosenServer, role: ServerTask['role']): boolean {
  return facts.role === (role === 'Primary' ? 'Primary' : 'Standby');
}

/** What a server says of itself, to a role without any privilege where its owner left the defaults. */
export async function identify(access: ServerAccess, database: string, signal: AbortSignal): Promise<ServerIdentity> {
  return withConnection(
    access,
    database,
    signal,
    async (query) => {
      const [settings] = await query<{ version: string; number: string; standby: boolean }>(
        "SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, pg_is_in_recovery() AS standby",
      );
      if (settings === undefined) throw new Error('the server gave no version');
      const versionNumber = Number(settings.number);
      const control = (await readControl(query)) ?? (await identifySystem(access, database, signal));
      return {
        version: settings.version.split(' ')[0] ?? settings.version,
        versionNumber,
        major: Math.floor(versionNumber / 10_000),
        ...control,
        role: settings.standby ? 'Standby' : 'Primary',
      };
    },
    { connectTimeout },
  );
}

interface Control {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** undefined where the role may not ask: PUBLIC may in stock PostgreSQL, but some providers take that away. */
async function readControl(query: Query): Promise<Control | undefined> {
  try {
    const [row] = await query<{ system: string; timeline: number }>(
      'SELECT system_identifier::text AS system, timeline_id AS timeline FROM pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint()',
    );
    return row === undefined ? undefined : unsigned(row.system, row.timeline);
  } catch (error) {
    if (error instanceof Failure && error.reason === 'PermissionDenied') return undefined;
    throw error;
  }
}

async function identifySystem(access: ServerAccess, database: string, signal: AbortSignal): Promise<Control> {
  try {
    return await withConnection(
      access,
      database,
      signal,
      async (query) => {
        const [row] = await query<{ systemid: string; timeline: number }>('IDENTIFY_SYSTEM');
        if (row === undefined) throw new Error('IDENTIFY_SYSTEM gave no row');
        return unsigned(row.systemid, row.timeline);
      },
      { connectTimeout, replication: true },
    );
  } catch (cause) {
    signal.throwIfAborted();
    throw terminal(
      'PermissionDenied',
      `The role ${access.username} may not read the server's system identifier. As a superuser, run: GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO "${access.username.replaceAll('"', '""')}"; or give the role the attribute REPLICATION.`,
      cause,
    );
  }
}

/** The identifier is unsigned, and pg_control_system() shows it as a signed bigint. */
function unsigned(system: string, timeline: number | string): Control {
  return { systemIdentifier: BigInt.asUintN(64, BigInt(system)).toString(), timeline: Number(timeline) };
}
