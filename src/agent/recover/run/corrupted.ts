import { type Failure, terminal } from '../../../domain/failure.ts';

/** `what` is a sentence. */
export function corrupted(what: string, cause?: unknown): Failure {
  return terminal(
    'CorruptedBackup',
    `The backup is damaged: ${what} Recover from another backup (recoveryTarget.backupID) or another repository, keep this one for examination, and check the storage it lies on.`,
    cause,
  );
}
