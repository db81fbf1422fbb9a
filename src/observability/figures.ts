import { Gauge, type Registry } from 'prom-client';

const policy = ['namespace', 'policy'] as const;
const method = [...policy, 'method'] as const;
const repository = ['namespace', 'repository'] as const;

/** What is told of the objects that people declare; docs/metrics.md lists them. Base units; 1 is yes, 0 is no. */
export const figures = {
  policy_created_timestamp_seconds: ['When the policy was created', policy],
  policy_ready: ['Whether the policy is Ready', policy],
  policy_stalled: ['Whether the policy waits for a person', policy],
  policy_suspended: ['Whether the policy is suspended', policy],
  next_schedule_timestamp_seconds: ['When a schedule of the policy is due next', policy],
  schedule_interval_seconds: ['The longest time between two scheduled backups, at most', method],
  last_success_timestamp_seconds: ['When the newest successful backup completed', method],
  last_failure_timestamp_seconds: ['When the newest failed backup ended', method],
  backup_duration_seconds: ['Duration of the newest successful backup', method],
  backup_source_bytes: ['Size of what the newest successful backup holds', method],
  backup_stored_bytes: ['Stored size of the newest successful backup', method],
  backup_compression_ratio: ['Source size to stored size of the newest successful backup', method],
  hooks_succeeded: ['Whether the hooks of the newest run did what they are there for', policy],
  hook_failures: ['Hooks that failed, of the BackupRuns that are there', [...policy, 'list', 'on_error']],
  backup_runs: ['BackupRuns that are there, by phase', [...policy, 'phase']],
  wal_archiving: ['Whether WAL is archived without interruption', policy],
  wal_last_archived_timestamp_seconds: ['When the last WAL segment was archived', policy],
  wal_lag_bytes: ['WAL that the server has written and the archive does not hold', policy],
  wal_lag_seconds: ['Age of the oldest WAL that the archive does not hold', policy],
  wal_pending_segments: ['WAL segments that wait to be archived', policy],
  wal_gaps: ['Gaps in the archived WAL', policy],
  wal_slot_safe_bytes: ['WAL that may be written before the replication slot is lost', policy],
  restorable_earliest_timestamp_seconds: ['The earliest moment that can be restored', policy],
  restorable_latest_timestamp_seconds: ['The latest moment that can be restored', policy],
  retention_applied: ['Whether retention is carried out', policy],
  retention_planned_timestamp_seconds: ['When retention was planned last', policy],
  retention_kept_backups: ['Backups that retention keeps', [...policy, 'repository']],
  retention_due_backups: ['Backups that retention is going to delete', [...policy, 'repository']],
  last_verification_timestamp_seconds: ['When a backup was last restored and found good', policy],
  verification_restore_seconds: ['How long that restore took', policy],
  verification_succeeded: ['Whether the newest verification found its backup good', policy],
  next_verification_timestamp_seconds: ['When the next verification is due', policy],
  verification_interval_seconds: ['The longest time between two verifications', policy],
  verification_since_timestamp_seconds: ['Since when the schedule of verifications stands', policy],
  last_drill_timestamp_seconds: ['When the newest drill ended', policy],
  drill_succeeded: ['Whether the newest drill brought the server back', policy],
  drill_rto_seconds: ['Seconds that the newest successful drill took to recover', policy],
  drill_rpo_seconds: ['Seconds of data that the newest successful drill would have lost', policy],
  drill_objectives_met: ['Whether the newest successful drill met its objectives', policy],
  repository_ready: ['Whether the repository answers and can be used', repository],
  repository_backups: ['Backups that the repository holds', repository],
  repository_stored_bytes: ['What those backups take', repository],
} as const satisfies Readonly<Record<string, readonly [help: string, labelNames: readonly string[]]>>;

export type FigureName = keyof typeof figures;

export interface Figure {
  readonly name: FigureName;
  readonly labels: Readonly<Record<string, string>>;
  /** undefined where it is not known: then there is no series, since a zero would be a lie. */
  readonly value: number | undefined;
}

/** Gives a function that tells all that is known now; a series that is not among it goes. */
export function createFigures(registry: Registry): (known: Iterable<Figure>) => void {
  const gauges = new Map<string, Gauge>();
  for (const [name, [help, labelNames]] of Object.entries(figures))
    gauges.set(name, new Gauge({ name: `tidemark_${name}`, help, labelNames, registers: [registry] }));
  return (known) => {
    for (const gauge of gauges.values()) gauge.reset();
    for (const { name, labels, value } of known)
      if (value !== undefined && Number.isFinite(value)) gauges.get(name)?.set({ ...labels }, value);
  };
}
