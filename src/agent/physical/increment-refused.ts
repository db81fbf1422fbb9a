import { Failure } from '../../domain/failure.ts';
import { type Forced, summarizeWalOff } from '../../domain/increment/choose-parent.ts';

/** The server makes no increment on this parent: a full backup is to be made instead. Nothing of the increment is of use. */
export class IncrementRefused extends Error {
  readonly forced: Forced;

  constructor(forced: Forced, cause?: unknown) {
    super(forced.message, cause === undefined ? undefined : { cause });
    this.name = 'IncrementRefused';
    this.forced = forced;
  }
}

/** By the routines of the server that say so: the words are in the server's language (basebackup_incremental.c, walsummarizer.c). */
const routines: Readonly<Record<string, (said: string) => Forced>> = {
  PrepareForIncrementalBackup: (said) => ({
    reason: 'SummariesGone',
    message: `The server cannot tell what has changed since the parent backup: ${said}. Let wal_summary_keep_time be longer than the time between two full backups.`,
  }),
  WaitForWalSummarization: (said) => ({
    reason: 'SummariesLate',
    message: `The server's WAL summarizer does not catch up: ${said}. Look at its log and at pg_get_wal_summarizer_state().`,
  }),
  // It was switched off since it was looked at.
  parse_basebackup_options: () => summarizeWalOff,
};
/** object_not_in_prerequisite_state: the same routines complain of other things too. */
const unprepared = '55000';

/** What a server's refusal to begin means; anything else is given back as it is. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  const { cause } = error;
  const isOfState = cause instanceof Error && 'code' in cause && cause.code === unprepared;
  const routine = isOfState && 'routine' in cause ? cause.routine : undefined;
  const tell = typeof routine === 'string' && Object.hasOwn(routines, routine) ? routines[routine] : undefined;
  return tell === undefined || !(cause instanceof Error) ? error : new IncrementRefused(tell(cause.message), error);
}

/** The server does not take the parent's list of files for one of its own: it is another server's, or damaged. */
export function asRefusedList(error: unknown): unknown {
  if (!(error instanceof Failure) || error.retryable || error.reason === 'PermissionDenied') return error;
  const { cause } = error;
  if (!(cause instanceof Error) || !('routine' in cause)) return error;
  const message = `The server does not accept the parent backup's list of files: ${cause.message}. The next increments stand on this full backup.`;
  return new IncrementRefused({ reason: 'ParentUnreadable', message }, error);
}
