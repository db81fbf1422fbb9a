import { Failure } from '../../domain/failure.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { StageFailed } from '../../stream/stage-failed.ts';
import { failureOfRestore, withAftermath } from './restore-failure.ts';
import { RestoreToolFailed } from './run-pg-restore.ts';

/** Whatever ended the restore of a database, as a Failure that also says what became of the target. */
export function failureOf(
  error: unknown,
  { access, signal }: { readonly access: ServerAccess; readonly signal: AbortSignal },
  database: string,
  aftermath: string,
): Failure {
  if (signal.aborted) return withAftermath(asFailure(signal.reason), aftermath);
  if (error instanceof RestoreToolFailed) {
    const ended = { tool: error.tool, how: error.message, said: error.said, cause: error };
    return failureOfRestore(ended, { access, database }, aftermath);
  }
  if (error instanceof StageFailed) {
    const how = error.signal === undefined ? 'could not be started' : `was killed by ${error.signal}`;
    return failureOfRestore(
      { tool: error.command, how, said: error.stderr, cause: error },
      { access, database },
      aftermath,
    );
  }
  return withAftermath(asFailure(error), aftermath);
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Failure('InternalError', `Something went wrong that Tidemark has no words for: ${said}.`, {
    retryable: true,
    cause: error,
  });
}
