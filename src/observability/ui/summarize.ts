import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { Drill } from '../../api/verification.ts';
import { bytes, duration } from '../../domain/display/quantities.ts';
import type { Health } from '../../domain/health/finding.ts';
import { judgePolicy } from '../../domain/health/judge-policy.ts';
import { newestMeasure, newestProof, type Proof } from '../../domain/health/judge-proofs.ts';

/** A policy's answer to "am I safe?". What is undefined is not known. */
export interface Summary {
  readonly namespace: string;
  readonly name: string;
  readonly source: string;
  readonly health: Health;
  /** None: without WAL there is no window, only the moments of the backups. */
  readonly window: Window | 'None' | undefined;
  readonly lastSuccess: string | undefined;
  readonly lastFailure: string | undefined;
  readonly next: { readonly time: string } | 'Suspended' | 'NoSchedule' | undefined;
  /** How far the archive is behind; None: WAL is not archived. */
  readonly wal: string | 'None' | undefined;
  readonly proof: Proof | undefined;
  readonly measure: Drill | undefined;
}

export interface Window {
  readonly from: string;
  readonly to: string;
  readonly gaps: number;
}

export function summarize(policy: BackupPolicy, runs: readonly BackupRun[], now: Date): Summary {
  const { metadata, spec, status } = policy;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    source: sourceOf(policy),
    health: judgePolicy(policy, runs, now),
    window: windowOf(policy),
    lastSuccess: status?.lastSuccessfulRun?.completionTime,
    lastFailure: status?.lastFailedRun?.completionTime,
    next: nextOf(policy),
    wal: spec.walArchiving.mode === 'None' ? 'None' : lagOf(policy),
    proof: newestProof(policy, runs),
    measure: newestMeasure(policy),
  };
}

/** Of a policy that cannot be read as one: it is there, and nothing else is known of it. */
export function unreadable({ metadata }: Pick<BackupPolicy, 'metadata'>): Summary {
  const words = 'This policy cannot be read: it may be older than its definition. kubectl apply it anew.';
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    source: '',
    health: { level: 'unknown', findings: [{ level: 'unknown', words, reason: 'Unreadable' }] },
    window: undefined,
    lastSuccess: undefined,
    lastFailure: undefined,
    next: undefined,
    wal: undefined,
    proof: undefined,
    measure: undefined,
  };
}

function sourceOf({ spec: { source } }: BackupPolicy): string {
  const { workloadRef, host } = source;
  return workloadRef === undefined ? (host ?? '') : `${workloadRef.kind} ${workloadRef.name}`;
}

function windowOf({ spec, status }: BackupPolicy): Summary['window'] {
  const { earliestTime: from, latestTime: to, gaps = [] } = status?.restorable ?? {};
  if (from !== undefined && to !== undefined) return { from, to, gaps: gaps.length };
  return spec.walArchiving.mode === 'None' ? 'None' : undefined;
}

function nextOf({ spec, status }: BackupPolicy): Summary['next'] {
  if (spec.suspend) return 'Suspended';
  if (spec.schedules.length === 0) return 'NoSchedule';
  return status?.nextScheduleTime === undefined ? undefined : { time: status.nextScheduleTime };
}

function lagOf({ status }: BackupPolicy): string | undefined {
  const { lagBytes, lagSeconds, pendingSegments } = status?.wal ?? {};
  const parts = [
    bytes(lagBytes),
    lagSeconds === undefined ? undefined : duration(lagSeconds),
    pendingSegments === undefined || pendingSegments === 0
      ? undefined
      : `${pendingSegments} segment${pendingSegments === 1 ? '' : 's'} waiting`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}
