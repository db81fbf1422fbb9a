import type { BackupPolicy, BackupRun, PitrRecovery, RestoreRequest } from '../../api/kinds.ts';
import type { LastVerification } from '../../api/verification.ts';
import { findCondition } from '../conditions.ts';

/**
 * Reasons by which a backup, or the WAL behind it, is shown to be bad. Every other one (no node, no room, no image, a store
 * that is away, a gap in the archive, which wants a new base anyway) says nothing of it.
 */
const bad: ReadonlySet<string> = new Set([
  'VerificationFailed',
  'AssertionFailed',
  'CorruptedBackup',
  'DamagedManifest',
  'ObjectMissing',
  'InvalidWal',
  'DamagedHistory',
  'ReplayEndedEarly',
  'DataCorrupted',
  'CatalogDamaged',
]);

/** Of a restore into an empty server; a dump of a part alone may lack what it stands on, and be as it was meant. */
const badWhereWhole: ReadonlySet<string> = new Set([
  'ConstraintViolation',
  'ForeignKeyViolation',
  'EncodingMismatch',
  'MissingDependency',
  'ToolFailed',
]);

/** Whether a verification that ended for this reason has shown the backup to be bad. `partial`: it is a dump of parts. */
export function provesBad(reason: string, partial: boolean): boolean {
  return bad.has(reason) || (!partial && badWhereWhole.has(reason));
}

/** Whether the policy leaves out parts of databases. */
export function isPartial({ spec }: Pick<BackupPolicy, 'spec'>): boolean {
  const { content, schemas, tables } = spec.logical;
  const named = [schemas.include, schemas.exclude, tables.include, tables.exclude];
  return content !== 'All' || named.some((patterns) => patterns.length > 0);
}

type Trial = PitrRecovery | RestoreRequest;

export function isRecovery(trial: Trial): trial is PitrRecovery {
  return trial.kind === 'PitrRecovery';
}

/** What a verification says, and of which backup; without an outcome while it runs. */
export function verdictOf(
  trial: Trial,
  scheduledTime: string,
  runs: readonly BackupRun[],
  partial = false,
): LastVerification {
  const { metadata, status } = trial;
  const base = {
    method: isRecovery(trial) ? ('Physical' as const) : ('Logical' as const),
    name: metadata.name,
    scheduledTime,
    startTime: metadata.creationTimestamp,
  };
  const backupID = backupOf(trial);
  const run = backupID === undefined ? undefined : runs.find((each) => each.status?.backupID === backupID);
  const about = {
    ...(backupID === undefined ? {} : { backupID }),
    ...(run === undefined ? {} : { run: run.metadata.name }),
  };
  const phase = status?.phase;
  if (phase !== 'Completed' && phase !== 'Failed' && phase !== 'Cancelled') return { ...base, ...about };
  const { reason = phase, message = '' } = findCondition(status?.conditions, 'Succeeded') ?? {};
  const isBad = phase === 'Failed' && provesBad(reason, partial);
  const outcome = phase === 'Completed' ? 'Good' : isBad ? 'Bad' : 'Unknown';
  const restoreSeconds = isRecovery(trial) ? trial.status?.measured?.rtoSeconds : trial.status?.restoreSeconds;
  return {
    ...base,
    ...about,
    ...(status?.completionTime === undefined ? {} : { time: status.completionTime }),
    outcome,
    reason,
    message: [...message].slice(0, 2048).join(''),
    ...(restoreSeconds === undefined ? {} : { restoreSeconds }),
  };
}

function backupOf(trial: Trial): string | undefined {
  if (!isRecovery(trial)) return trial.status?.backupID ?? trial.spec.source.repository?.backupID;
  return trial.status?.plan?.backupID ?? (trial.spec.recoveryTarget.backupID || undefined);
}
