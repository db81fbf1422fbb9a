import type { Condition } from '../../api/condition.ts';
import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import type { RetentionStatus } from '../../api/retention.ts';
import type { LastVerification } from '../../api/verification.ts';
import { type Drawing, drawTimeline } from '../../domain/timeline/draw.ts';
import { type Paged, pageOf } from './pages.ts';
import { type RunRow, runRow } from './run-row.ts';
import { blindness, type Seen } from './seen.ts';
import { type Summary, summarize } from './summarize.ts';
import { type Work, worksOf } from './works.ts';

export const runsPerPage = 50;
export const mostWorks = 50;
/** A picture of more is a smear, and a page of megabytes. */
export const mostMarks = 300;
const mostPlanned = 50;

export interface PolicyView {
  readonly now: Date;
  readonly blind: ReturnType<typeof blindness>;
  readonly summary: Summary;
  readonly facts: Facts;
  readonly drawing: Drawing;
  /** Backups before the picture begins. */
  readonly undrawn: number;
  readonly runs: Paged<RunRow>;
  readonly works: Paged<Work>;
  readonly verifications: readonly LastVerification[];
  readonly nextVerification: string | undefined;
  readonly retention: RetentionView | undefined;
  readonly conditions: readonly Condition[];
  readonly repositories: readonly (readonly [name: string, repository: BackupRepository | undefined])[];
}

export interface Facts {
  readonly server: string | undefined;
  readonly archiving: string;
  readonly lastArchived: string | undefined;
  readonly schedules: readonly { readonly name: string; readonly words: string }[];
}

export interface RetentionView {
  readonly plan: NonNullable<RetentionStatus['plan']>;
  readonly wal: NonNullable<RetentionStatus['wal']>;
  /** Entries of the plan that are not among them. */
  readonly more: number;
  readonly planned: string | undefined;
  readonly dryRun: boolean;
}

/** Undefined where no such policy is known. */
export function policyViewOf(
  seen: Seen,
  { namespace, name, page }: { readonly namespace: string; readonly name: string; readonly page: number },
  now: Date,
): PolicyView | undefined {
  const policy = seen.policies.get(namespace, name);
  if (policy === undefined) return undefined;
  const runs = seen
    .runsOf(`${namespace}/${name}`)
    .filter(({ spec }) => spec?.method !== undefined)
    .toSorted((one, other) => begunOf(other) - begunOf(one));
  const recoveries = seen.recoveries
    .list()
    .filter(({ metadata, spec }) => metadata.namespace === namespace && spec?.source !== undefined);
  const shown = pageOf(runs, page, runsPerPage);
  // Only where the picture begins is bounded: what a gap makes unrestorable depends on all of the bases.
  const [oldest, rest] = [runs[mostMarks - 1], Math.max(0, runs.length - mostMarks)];
  const since = rest === 0 || oldest === undefined ? undefined : new Date(begunOf(oldest));
  return {
    now,
    blind: blindness(seen),
    summary: summarize(policy, runs, now),
    facts: factsOf(policy),
    drawing: drawTimeline(policy, { runs, recoveries, now, since }),
    undrawn: rest,
    runs: { ...shown, items: shown.items.map(runRow) },
    works: pageOf(worksOf(policy, { ...seen, runs }), 1, mostWorks),
    verifications: policy.status?.verification?.last ?? [],
    nextVerification: policy.spec.suspend ? undefined : policy.status?.verification?.nextTime,
    retention: retentionOf(policy),
    conditions: policy.status?.conditions ?? [],
    repositories: policy.spec.repositoryRefs.map((ref) => [ref.name, seen.repositories.get(namespace, ref.name)]),
  };
}

function begunOf({ metadata, status }: BackupRun): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp);
}

function factsOf({ spec, status }: BackupPolicy): Facts {
  const { version, timeline, systemIdentifier } = status?.server ?? {};
  const server = [
    version === undefined ? undefined : `PostgreSQL ${version}`,
    timeline === undefined ? undefined : `timeline ${timeline}`,
    systemIdentifier === undefined ? undefined : `system ${systemIdentifier}`,
  ].filter((part) => part !== undefined);
  const modes = {
    Archive: 'by the server’s archive_command',
    Stream: 'through a replication slot',
    None: 'not archived',
  };
  return {
    server: server.length === 0 ? undefined : server.join(', '),
    archiving: modes[spec.walArchiving.mode],
    lastArchived: status?.wal?.lastArchivedSegment,
    schedules: spec.schedules.map(({ name, cron, timeZone, method, type }) => ({
      name,
      words: `${cron} ${timeZone}, ${method}${type === 'Full' ? '' : ` ${type}`}`,
    })),
  };
}

function retentionOf({ spec, status }: BackupPolicy): RetentionView | undefined {
  if (spec.retention === undefined) return undefined;
  const { plan = [], wal = [], plannedTime, dryRun = false } = status?.retention ?? {};
  return {
    plan: plan.slice(0, mostPlanned),
    wal,
    more: Math.max(0, plan.length - mostPlanned),
    planned: plannedTime,
    dryRun,
  };
}
