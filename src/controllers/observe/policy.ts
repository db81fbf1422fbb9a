import type { BackupPolicy } from '../../api/kinds.ts';
import { longestInterval } from '../../domain/schedule.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Figure, FigureName } from '../../observability/figures.ts';
import { amount, holds, instant } from './known.ts';

/** What the policy and its status say by themselves. */
export function* figuresOfPolicy(
  { metadata, spec, status = {} }: BackupPolicy & KubeObject,
  now: Date,
): Iterable<Figure> {
  const labels = { namespace: metadata.namespace, policy: metadata.name };
  const one = (name: FigureName, value: number | undefined): Figure => ({ name, labels, value });
  yield one('policy_created_timestamp_seconds', instant(metadata.creationTimestamp));
  yield one('policy_ready', holds(status.conditions, 'Ready'));
  yield one('policy_stalled', holds(status.conditions, 'Stalled') ?? 0);
  yield one('hooks_succeeded', holds(status.conditions, 'HooksSucceeded'));
  yield one('policy_suspended', spec.suspend ? 1 : 0);
  yield one('next_schedule_timestamp_seconds', instant(status.nextScheduleTime));
  for (const method of ['Logical', 'Physical'] as const) {
    const value = longestInterval(spec.suspend ? [] : spec.schedules.filter((each) => each.method === method), now);
    yield { name: 'schedule_interval_seconds', labels: { ...labels, method }, value };
  }
  yield one('verification_succeeded', holds(status.conditions, 'Verified'));
  yield one('next_verification_timestamp_seconds', instant(spec.suspend ? undefined : status.verification?.nextTime));
  const verifications = spec.verification === undefined || spec.suspend ? [] : [spec.verification];
  yield one('verification_interval_seconds', longestInterval(verifications, now));
  yield one('verification_since_timestamp_seconds', instant(status.verification?.since));
  yield one('wal_archiving', holds(status.conditions, 'ContinuousArchiving'));
  const { wal, restorable, retention } = status;
  yield one('wal_last_archived_timestamp_seconds', instant(wal?.lastArchivedTime));
  yield one('wal_lag_bytes', amount(wal?.lagBytes));
  yield one('wal_lag_seconds', wal?.lagSeconds);
  yield one('wal_pending_segments', wal?.pendingSegments);
  yield one('wal_gaps', wal?.gaps?.length);
  yield one('wal_slot_safe_bytes', amount(wal?.slot?.safeBytes));
  yield one('restorable_earliest_timestamp_seconds', instant(restorable?.earliestTime));
  yield one('restorable_latest_timestamp_seconds', instant(restorable?.latestTime));
  yield one('retention_applied', holds(status.conditions, 'RetentionApplied'));
  yield one('retention_planned_timestamp_seconds', instant(retention?.plannedTime));
  for (const { name: repository, keep, delete: due } of retention?.repositories ?? []) {
    yield { name: 'retention_kept_backups', labels: { ...labels, repository }, value: keep };
    yield { name: 'retention_due_backups', labels: { ...labels, repository }, value: due };
  }
}
