import type { ServerAccess } from '../../postgres/access.ts';
import { type LibpqFiles, libpqEnvironment, type Tool } from '../../postgres/tools.ts';
import { type PgRestoreOptions, pgRestoreArgs } from './pg-restore-args.ts';
import { createRestoreOutput, type RestoreError, type RestoreOutput } from './restore-output.ts';
import { runTool } from './run-tool.ts';

export interface PgRestoreRun {
  readonly tool: Tool;
  readonly serverMajor: number;
  readonly access: ServerAccess;
  readonly files: LibpqFiles;
  readonly isSuperuser: boolean;
  readonly options: PgRestoreOptions;
  /** The dump, where `options.archive` does not say where it lies. */
  readonly input?: AsyncIterable<Buffer> | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (output: RestoreOutput) => void;
}

export interface LoadResult {
  readonly objects: number;
  /** Those that the tool went on after. */
  readonly errors: number;
  readonly firstErrors: readonly RestoreError[];
}

/** pg_restore or psql gave up, or was told to. */
export class RestoreToolFailed extends Error {
  override readonly name = 'RestoreToolFailed';
  readonly tool: 'pg_restore' | 'psql';
  /** The error that ended it, or the end of what it said. */
  readonly said: string;
  /** undefined where it was stopped from here. */
  readonly code: number | undefined;

  constructor(tool: 'pg_restore' | 'psql', { said, code }: { readonly said: string; readonly code?: number }) {
    super(code === undefined ? 'was stopped at its first error' : `exited with code ${code}`);
    this.tool = tool;
    this.said = said;
    this.code = code;
  }
}

/**
 * pg_restore of 17 and later sets transaction_timeout, which earlier servers do not know. It goes on after that error
 * only without --exit-on-error and outside of a transaction; the first other error then ends it from here.
 */
export function isForeignTo(tool: Tool, serverMajor: number): boolean {
  return tool.major >= 17 && serverMajor < 17;
}

/** Resolves where pg_restore came to its end; rejects with RestoreToolFailed, or with the signal's reason. */
export async function runPgRestore(run: PgRestoreRun): Promise<LoadResult> {
  const { tool, serverMajor, options, input, signal } = run;
  const foreign = isForeignTo(tool, serverMajor);
  const stopping = new AbortController();
  const output = createRestoreOutput({
    ignores: (message) => foreign && /unrecognized configuration parameter "transaction_timeout"/.test(message),
    onError: (error) => {
      if (foreign && options.exitOnError)
        stopping.abort(new RestoreToolFailed('pg_restore', { said: describe(error) }));
    },
  });
  const { code, stderr } = await runTool({
    command: tool.path,
    args: pgRestoreArgs(foreign ? { ...options, exitOnError: false, singleTransaction: false } : options),
    env: environment(run),
    input,
    signal: AbortSignal.any([signal, stopping.signal]),
    onLine: (line) => {
      output.line(line);
      run.onProgress(output);
    },
  });
  output.end();
  stopping.signal.throwIfAborted();
  const firstErrors = output.firstErrors();
  const [first] = firstErrors;
  // Only at its end does it say how many errors it went on after.
  const complete = code === 0 || /^pg_restore: warning: errors ignored on restore: \d+$/m.test(stderr);
  if (!complete || (options.exitOnError && first !== undefined)) {
    throw new RestoreToolFailed('pg_restore', {
      said: first === undefined ? lastLines(stderr) : describe(first),
      code,
    });
  }
  return { objects: output.objects(), errors: output.errors(), firstErrors };
}

function environment({ access, files, options, isSuperuser }: PgRestoreRun): NodeJS.ProcessEnv {
  return restoreEnvironment({ access, files, database: options.database, isSuperuser });
}

export function restoreEnvironment({
  access,
  files,
  database,
  isSuperuser,
}: Pick<PgRestoreRun, 'access' | 'files' | 'isSuperuser'> & { readonly database: string }): NodeJS.ProcessEnv {
  return {
    ...libpqEnvironment(access, database, files),
    // What the server says is recognised by its words. Only a superuser may choose their language.
    ...(isSuperuser ? { PGOPTIONS: '-c lc_messages=C' } : {}),
  };
}

export function describe({ object, message }: RestoreError): string {
  return object === undefined ? message : `${object}: ${message}`;
}

export function lastLines(stderr: string): string {
  return stderr.trim().split('\n').slice(-10).join('\n');
}
