import { randomBytes } from 'node:crypto';
import type { ServerAccess } from '../../../postgres/access.ts';
import { quoteIdentifier } from '../../../postgres/advice.ts';
import { conninfo, type LibpqFiles, type Tool, toolVersion } from '../../../postgres/tools.ts';
import type { RestoreError } from '../restore-output.ts';
import { describe, lastLines, RestoreToolFailed, restoreEnvironment } from '../run-pg-restore.ts';
import { runTool } from '../run-tool.ts';
import { createPsqlOutput } from './psql-output.ts';

export interface PsqlRun {
  readonly tool: Tool;
  readonly access: ServerAccess;
  readonly files: LibpqFiles;
  readonly isSuperuser: boolean;
  readonly database: string;
  readonly options: PsqlOptions;
  /** SQL. */
  readonly input: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
}

export interface PsqlOptions {
  readonly stopAtError: boolean;
  readonly singleTransaction: boolean;
  /** Empty for none. */
  readonly role: string;
  /** Triggers and foreign keys are not called (session_replication_role). */
  readonly asReplica: boolean;
}

export interface PsqlResult {
  /** Those that psql went on after. */
  readonly errors: number;
  readonly firstErrors: readonly RestoreError[];
}

/** Runs SQL that none of psql's own commands may stand in. Rejects with RestoreToolFailed, or with the signal's reason. */
export async function runPsql(run: PsqlRun): Promise<PsqlResult> {
  const { tool, options, signal } = run;
  let isTaken = false;
  async function* all() {
    yield* run.input;
    if (options.singleTransaction) yield commit;
    isTaken = true;
  }
  const output = createPsqlOutput();
  const { code, stderr } = await runTool({
    command: tool.path,
    args: psqlArgs(run.database, options, (await knowsRestriction(tool)) ? randomBytes(24).toString('hex') : undefined),
    env: restoreEnvironment(run),
    signal,
    input: all(),
    onLine: output.line,
  });
  output.end();
  const firstErrors = output.firstErrors();
  const [first] = firstErrors;
  if (code !== 0 || (options.stopAtError && first !== undefined)) {
    throw new RestoreToolFailed('psql', { said: first === undefined ? lastLines(stderr) : describe(first), code });
  }
  if (!isTaken) throw new RestoreToolFailed('psql', { said: 'it ended before it had read all of the script', code });
  return { errors: output.errors(), firstErrors };
}

/**
 * Not psql's --single-transaction, which commits at the end of what it is given, also where that ends because this process was killed. So
 * the last word is said only when everything before it was.
 */
const commit = Buffer.from('COMMIT;\n');

/** `restriction`: a key without which psql takes no command of its own any more, whatever the script holds. */
export function psqlArgs(database: string, options: PsqlOptions, restriction: string | undefined): readonly string[] {
  return [
    '--no-psqlrc',
    '--no-password',
    '--quiet',
    '--echo-errors',
    ...(options.stopAtError ? ['--set=ON_ERROR_STOP=1'] : []),
    `--dbname=${conninfo(database)}`,
    ...(options.singleTransaction ? ['--command=BEGIN'] : []),
    ...(options.asReplica ? ['--command=SET session_replication_role = replica'] : []),
    ...(options.role === '' ? [] : [`--command=SET ROLE ${quoteIdentifier(options.role)}`]),
    ...(restriction === undefined ? [] : [`--command=\\restrict ${restriction}`]),
    '--file=-',
  ];
}

/** Of psql: an error of the script ended it (ON_ERROR_STOP). */
export const scriptError = 3;

/** The first minor version of each major that has \restrict. */
const restrictedSince: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

async function knowsRestriction(tool: Tool): Promise<boolean> {
  const minor = Number(/\b\d+\.(\d+)/.exec(await toolVersion(tool))?.[1] ?? 0);
  return minor >= (restrictedSince[tool.major] ?? 0);
}
