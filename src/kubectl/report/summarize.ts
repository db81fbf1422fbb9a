import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { secondsBetween, toNumber } from '../../domain/display/quantities.ts';
import { begun } from '../runs.ts';

export interface ReportRow {
  readonly namespace: string;
  readonly policy: string;
  readonly run: string;
  readonly method: string;
  readonly type: string;
  readonly status: string;
  /** RFC 3339, UTC. */
  readonly started: string;
  readonly completed: string | undefined;
  readonly seconds: number | undefined;
  /** Bytes. */
  readonly sourceBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly ratio: number | undefined;
  readonly verified: string | undefined;
  readonly backupID: string | undefined;
  readonly error: string | undefined;
}

export interface ReportSummary {
  readonly namespace: string;
  readonly policy: string;
  readonly runs: number;
  readonly completed: number;
  readonly failed: number;
  /** Bytes that the backups of the period took, those included that retention has removed since. */
  readonly storedBytes: number;
  readonly longestSeconds: number | undefined;
  readonly lastSuccess: string | undefined;
  readonly lastFailure: string | undefined;
  readonly lastError: string | undefined;
  /** Undefined where none is scheduled, or the operator has not said. */
  readonly nextRun: string | undefined;
  readonly suspended: boolean;
}

export interface Report {
  readonly from: string;
  readonly to: string;
  readonly policies: readonly ReportSummary[];
  readonly runs: readonly ReportRow[];
}

/** Every backup that began in the period, the newest first, and what that comes to for each policy. */
export function summarize(policies: readonly BackupPolicy[], runs: readonly BackupRun[], from: Date, to: Date): Report {
  const wanted = new Set(policies.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const rows = runs
    .filter((run) => wanted.has(`${run.metadata.namespace}/${run.spec.policyRef.name}`))
    .filter((run) => begun(run) >= from.getTime() && begun(run) <= to.getTime())
    .toSorted((a, b) => begun(b) - begun(a))
    .map(rowOf);
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    policies: policies.map((policy) => summaryOf(policy, rows)),
    runs: rows,
  };
}

function rowOf(run: BackupRun): ReportRow {
  const { metadata, spec, status } = run;
  const [sourceBytes, storedBytes] = [toNumber(status?.size?.source), toNumber(status?.size?.stored)];
  return {
    namespace: metadata.namespace,
    policy: spec.policyRef.name,
    run: metadata.name,
    method: spec.method,
    type: spec.type,
    status: status?.phase ?? 'Pending',
    started: status?.startTime ?? metadata.creationTimestamp,
    completed: status?.completionTime,
    seconds: secondsBetween(status?.startTime, status?.completionTime),
    sourceBytes,
    storedBytes,
    ratio: toNumber(status?.size?.compressionRatio),
    verified: status?.verified?.time,
    backupID: status?.backupID,
    error: status?.error || undefined,
  };
}

function summaryOf({ metadata, spec, status }: BackupPolicy, rows: readonly ReportRow[]): ReportSummary {
  const own = rows.filter(({ namespace, policy }) => namespace === metadata.namespace && policy === metadata.name);
  // Retention has removed it since; it was a good one.
  const completed = own.filter((row) => row.status === 'Completed' || row.status === 'Expired');
  const failed = own.filter((row) => row.status === 'Failed');
  const seconds = own.flatMap((row) => row.seconds ?? []);
  return {
    namespace: metadata.namespace,
    policy: metadata.name,
    runs: own.length,
    completed: completed.length,
    failed: failed.length,
    storedBytes: completed.reduce((sum, row) => sum + (row.storedBytes ?? 0), 0),
    longestSeconds: seconds.length === 0 ? undefined : Math.max(...seconds),
    lastSuccess: completed[0]?.completed,
    lastFailure: failed[0]?.completed,
    lastError: failed[0]?.error,
    nextRun: spec.suspend ? undefined : status?.nextScheduleTime,
    suspended: spec.suspend,
  };
}
