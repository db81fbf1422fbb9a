import { execFile } from 'node:child_process';
import { access, chmod, constants, copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { terminal } from '../domain/failure.ts';
import type { ServerAccess } from './access.ts';

export type ToolName =
  | 'pg_amcheck'
  | 'pg_dump'
  | 'pg_dumpall'
  | 'pg_restore'
  | 'psql'
  | 'pg_basebackup'
  | 'pg_verifybackup'
  | 'pg_combinebackup';

export interface Tool {
  readonly path: string;
  readonly major: number;
}

export const toolsRoot = () => process.env.TIDEMARK_POSTGRESQL_ROOT ?? '/opt/postgresql';

/**
 * The tool for a server: the smallest major that is there and not older than the server, since pg_dump refuses a newer
 * server and its output restores with its own major or a later one. None is a terminal VersionMismatch.
 */
export async function toolFor(name: ToolName, serverMajor: number, root: string = toolsRoot()): Promise<Tool> {
  const majors = await listMajors(name, root);
  const major = majors.find((candidate) => candidate >= serverMajor);
  if (major !== undefined) return { path: pathOf(name, major, root), major };
  throw terminal(
    'VersionMismatch',
    majors.length === 0
      ? `This image holds no ${name} (looked in ${root}/<major>/bin). Use Tidemark's own agent image.`
      : `The server is PostgreSQL ${serverMajor}, but this image holds ${name} of ${majors.join(', ')} only, and a tool cannot be older than the server. Upgrade Tidemark to a version whose agent image knows PostgreSQL ${serverMajor}.`,
  );
}

/** As the tool says it: `pg_dump (PostgreSQL) 17.6`. */
export async function toolVersion({ path }: Tool): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version'], { env: {}, timeout: 10_000 });
  return stdout.trim();
}

/** What libpq takes from files only; the private ones are why they are in a folder of the caller's, which removes it. */
export interface LibpqFiles {
  readonly passfile: string;
  /** How soon the death of a connection is noticed, for which libpq has no environment variables. */
  readonly serviceFile?: string;
  readonly keyFile?: string;
}

export async function writeLibpqFiles(server: ServerAccess, folder: string): Promise<LibpqFiles> {
  const passfile = join(folder, 'pgpass');
  const mode = 0o600;
  await writeFile(passfile, server.password === undefined ? '' : passfileLine(server.password, server.secret), {
    mode,
  });
  const serviceFile = join(folder, 'pg_service.conf');
  await writeFile(serviceFile, serviceText, { mode });
  if (server.tls.keyFile === undefined) return { passfile, serviceFile };
  // libpq refuses a key that others may read, as a mounted Secret's often is.
  const keyFile = join(folder, 'client.key');
  await copyFile(server.tls.keyFile, keyFile);
  await chmod(keyFile, mode);
  return { passfile, serviceFile, keyFile };
}

const service = 'tidemark';
/** Dead after 60 + 8 × 15 seconds without a sign; the kernel's own settings are hours (PostgreSQL, "Parameter Key Words"). */
const serviceText = `[${service}]\nkeepalives_idle=60\nkeepalives_interval=15\nkeepalives_count=8\n`;

/**
 * The whole environment of a PostgreSQL tool (it replaces the agent's own, which holds the task). Every value goes to
 * libpq as it is: PGDATABASE, unlike --dbname, is never read as a connection string.
 */
export function libpqEnvironment(server: ServerAccess, database: string, files: LibpqFiles): Record<string, string> {
  const { mode, caFile, certFile } = server.tls;
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    // Messages are read by a program and by people of all tongues.
    LC_ALL: 'C.UTF-8',
    LC_MESSAGES: 'C',
    HOME: '/nonexistent',
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.username,
    PGDATABASE: database,
    PGPASSFILE: files.passfile,
    PGSSLMODE: mode,
    PGGSSENCMODE: 'disable',
    PGCONNECT_TIMEOUT: '30',
    PGAPPNAME: 'tidemark',
    ...(files.serviceFile === undefined ? {} : { PGSERVICE: service, PGSERVICEFILE: files.serviceFile }),
    ...(caFile === undefined ? {} : { PGSSLROOTCERT: caFile }),
    ...(certFile === undefined ? {} : { PGSSLCERT: certFile }),
    ...(files.keyFile === undefined ? {} : { PGSSLKEY: files.keyFile }),
  };
}

/** A line of a password file that fits every connection (PostgreSQL, "The Password File"). */
export function passfileLine(password: string, secret: string): string {
  if (/[\r\n\0]/.test(password)) {
    throw terminal(
      'UnusablePassword',
      `The password in Secret ${secret} has a line break or a zero byte in it, which PostgreSQL's tools cannot take from a password file. Give the role another password.`,
    );
  }
  return `*:*:*:*:${password.replaceAll('\\', '\\\\').replaceAll(':', '\\:')}\n`;
}

/** A database's name where a tool would read it as a connection string (libpq, "Connection Strings"). */
export function conninfo(database: string): string {
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

async function listMajors(name: ToolName, root: string): Promise<readonly number[]> {
  const folders = await readdir(root).catch(() => []);
  const present = await Promise.all(
    folders
      .filter((folder) => /^[1-9][0-9]$/.test(folder))
      .map(async (folder) => {
        const found = await access(join(root, folder, 'bin', name), constants.X_OK).then(
          () => true,
          () => false,
        );
        return found ? [Number(folder)] : [];
      }),
  );
  return present.flat().sort((a, b) => a - b);
}

function pathOf(name: ToolName, major: number, root: string): string {
  return join(root, String(major), 'bin', name);
}
