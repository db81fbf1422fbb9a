import type { Documentation } from './shared.ts';

export const backupRun: Documentation = {
  policyRef: 'The policy that says what is backed up, and how.',
  'policyRef.name': 'A BackupPolicy of this namespace.',
  method: 'Logical: pg_dump. Physical: pg_basebackup.',
  type: 'Full, or for Physical the difference to the last full backup (Differential) or to the last one (Incremental).',
  hold: 'Retention leaves the backup alone while this is true. May be changed.',
  cancel: 'Stops a running backup, and removes what it wrote. May be set, not taken back.',
  deletionPolicy: 'What deleting this object does to the stored backup: Retain leaves it, Delete removes it.',
};
