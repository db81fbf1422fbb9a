import type { BackupPolicy } from '../../api/kinds.ts';
import type { EventNote } from '../../kube/events.ts';

/** What the last Job has deleted, each backup by itself. */
export function deletionEvents({ status }: Pick<BackupPolicy, 'status'>): readonly EventNote[] {
  const { deleted = [], pruned, plannedTime } = status?.retention ?? {};
  if (plannedTime === undefined) return [];
  const backups = deleted
    .filter(({ time }) => time === plannedTime)
    .map(({ run, backupID, repository, bytes, reason }): EventNote => {
      const note = `Retention deleted the backup ${backupID} of BackupRun ${run} from ${repository} (${bytes} bytes): ${reason}`;
      return { type: 'Normal', reason: 'BackupExpired', action: 'Expire', note };
    });
  if (pruned?.time !== plannedTime) return backups;
  const note = `Retention deleted ${pruned.segments} WAL segments (${pruned.bytes} bytes) that no backup needs any more`;
  return [...backups, { type: 'Normal', reason: 'WalPruned', action: 'Expire', note }];
}
