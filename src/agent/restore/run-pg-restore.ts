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
  readonly signal: AbortSignal;
  readonly onProgress: (output: RestoreOutput) => void;
}

export interface PgRestoreResult {
  readonly objects: number;
  /** Those that pg_restore went on after. */
  readonly errors: number;
  readonly firstErrors: readonly RestoreError[];
}

/** pg_restore gave up, or was told to. */
export class PgRestoreFailed extends Error {
  override readonly name = 'PgRestoreFailed';
  /** The error that ended it, or the end of what it said. */
  readonly said: string;

  constructor(how: string, said: string) {
    super(how);
    this.said = said;
  }
}

/**
 * pg_restore of 17 and later sets transaction_timeout, which earlier servers do not know. It goes on after that error
 * only without --exit-on-error and outside of a transaction; the first other error then ends it from here.
 */
export function isForeignTo(tool: Tool, serverMajor: number): boolean {
  return tool.major >= 17 && serverMajor < 17;
}

/** Resolves where pg_restore came to its end; rejects with PgRestoreFailed, or with the signal's reason. */
export async function runPgRestore(run: PgRestoreRun): Promise<PgRestoreResult> {
  const { tool, serverMajor, options, signal } = run;
  const foreign = isForeignTo(tool, serverMajor);
  const stopping = new AbortController();
  const output = createRestoreOutput({
    ignores: (message) => foreign && /unrecognized configuration parameter "transaction_timeout"/.test(message),
    onError: (error) => {
      if (foreign && options.exitOnError)
        stopping.abort(new PgRestoreFailed('was stopped at its first error', describe(error)));
    },
  });
  const { code, stderr } = await runTool({
    command: tool.path,
    args: pgRestoreArgs(foreign ? { ...options, exitOnError: false, singleTransaction: false } : options),
    env: environment(run),
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
    throw new PgRestoreFailed(`exited with code ${code}`, first === undefined ? lastLines(stderr) : describe(first));
  }
  return { objects: output.objects(), errors: output.errors(), firstErrors };
}

function environment({ access, files, options, isSuperuser }: PgRestoreRun): NodeJS.ProcessEnv {
  return {
    ...libpqEnvironment(access, options.database, files),
    // What the server says is recognised by its words. Only a superuser may choose their language.
    ...(isSuperuser ? { PGOPTIONS: '-c lc_messages=C' } : {}),
  };
}

export function describe({ object, message }: RestoreError): string {
  return object === undefined ? message : `${object}: ${message}`;
}

function lastLines(stderr: string): string {
  return stderr.trim().split('\n').slice(-10).join('\n');
}
