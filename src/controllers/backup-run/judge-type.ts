import type { BackupRun } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { faultWords, hasFaultyIncrements } from '../../domain/increment/faulty-versions.ts';

/** What is to be said of a backup that was to be an increment: whether it is one, and whether it can be relied on. */
export function judgeType({ spec, status }: BackupRun): readonly NewCondition[] {
  if (spec.type === 'Full' || status?.type === undefined) return [];
  const type = 'TypeAsAsked';
  const { forcedFull, parentBackupID = '', chain } = status;
  if (forcedFull !== undefined) {
    const message = `It is a full backup, though an increment (${spec.type}) was asked for. ${forcedFull.message}`;
    return [{ type, status: 'False', reason: forcedFull.reason, message }];
  }
  const message = `It is the difference to ${parentBackupID}; a restore combines ${chain?.length ?? 2} backups`;
  return [{ type, status: 'True', reason: status.type, message }, ...judgeVersion(status.server?.version)];
}

function judgeVersion(version: string | undefined): readonly NewCondition[] {
  if (version === undefined || !hasFaultyIncrements(version)) return [];
  const message = `${faultWords(version)} It was made because the policy says physical.allowFaultyIncrementals. Restore it to a scratch server and compare before you rely on it, and update the server.`;
  return [{ type: 'IncrementTrusted', status: 'False', reason: 'FaultyVersion', message }];
}

/** What was made, which is what its size is to be compared with. */
export function madeType({ spec, status }: BackupRun): string {
  return status?.type ?? spec.type;
}
