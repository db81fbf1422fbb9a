import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
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
  /** SQL, or an open file of it. */
  readonly input: AsyncIterable<Buffer> | FileHandle;
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
  const { tool, options, input, signal } = run;
  const output = createPsqlOutput();
  const { code, stderr } = await runTool({
    command: tool.path,
    args: psqlArgs(run.database, options, (await knowsRestriction(tool)) ? randomBytes(24).toString('hex') : undefined),
    env: restoreEnvironment(run),
    signal,
    ...('fd' in input ? { stdin: input.fd } : { input }),
    onLine: output.line,
  });
  output.end();
  const firstErrors = output.firstErrors();
  const [first] = firstErrors;
  if (code !== 0 || (options.stopAtError && first !== undefined)) {
    throw new RestoreToolFailed('psql', { said: first === undefined ? lastLines(stderr) : describe(first), code });
  }
  return { errors: output.errors(), firstErrors };
}

/** `restriction`: a key without which psql takes no command of its own any more, whatever the script holds. */
export function psqlArgs(database: string, options: PsqlOptions, restriction: string | undefined): readonly string[] {
  return [
    '--no-psqlrc',
    '--no-password',
    '--quiet',
    '--echo-errors',
    ...(options.stopAtError ? ['--set=ON_ERROR_STOP=1'] : []),
    ...(options.singleTransaction ? ['--single-transaction'] : []),
    `--dbname=${conninfo(database)}`,
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
