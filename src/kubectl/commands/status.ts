import type { Command } from 'commander';
import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { findCondition } from '../../domain/conditions.ts';
import { bytes, relative, toNumber } from '../../domain/display/quantities.ts';
import { showInZone } from '../../domain/wall-clock.ts';
import { get, list } from '../objects.ts';
import { output, type Run, subcommand } from '../options.ts';
import { type Format, objectList, printAs } from '../print.ts';
import { newestFirst } from '../runs.ts';
import type { Session } from '../session.ts';
import { pairs, table } from '../table.ts';
import { oneLine } from '../terminal.ts';
import { runTable } from './runs.ts';

const recentRuns = 5;

interface Options {
  readonly allNamespaces?: boolean;
  readonly output?: Format;
}

export function addStatus(program: Command, run: Run): void {
  output(subcommand(program, 'status [policy]', 'what is protected, how far back, and what is wrong'))
    .option('-A, --all-namespaces', 'the policies of every namespace')
    .action(run((session, policy: string | undefined, options: Options) => status(session, policy, options)));
}

export async function status(session: Session, name: string | undefined, options: Options): Promise<number> {
  const { terminal, clock } = session;
  if (name === undefined) {
    const everywhere = options.allNamespaces === true;
    const policies = await list(session, 'BackupPolicy', everywhere);
    if (options.output !== undefined) printAs(terminal, options.output, objectList(policies));
    else if (policies.length > 0) terminal.out(overview(policies, clock.now(), everywhere));
    else terminal.say(`No BackupPolicy is in ${everywhere ? 'any namespace' : `the namespace ${session.namespace}`}.`);
    return 0;
  }
  const policy = await get(session, 'BackupPolicy', name);
  if (options.output !== undefined) {
    printAs(terminal, options.output, policy);
    return 0;
  }
  const runs = (await list(session, 'BackupRun')).filter(({ spec }) => spec.policyRef.name === name);
  terminal.out(detail(policy, runs, clock.now(), session.timeZone));
  return 0;
}

function overview(policies: readonly BackupPolicy[], now: Date, everywhere: boolean): string {
  const header = [
    'POLICY',
    'READY',
    'REASON',
    'LAST BACKUP',
    'LAST FAILURE',
    'NEXT',
    'RESTORABLE',
    'ARCHIVING',
    'VERIFIED',
  ];
  const rows = policies.map((policy) => {
    const { metadata, spec, status: { conditions, lastSuccessfulRun, lastFailedRun, nextScheduleTime } = {} } = policy;
    const ready = findCondition(conditions, 'Ready');
    return [
      ...(everywhere ? [metadata.namespace] : []),
      metadata.name,
      // One that the operator has not looked at is not ready: it is unknown.
      ready?.status ?? 'Unknown',
      ready?.reason,
      relative(lastSuccessfulRun?.completionTime, now),
      relative(lastFailedRun?.completionTime, now),
      spec.suspend ? 'suspended' : relative(nextScheduleTime, now),
      window(policy, now),
      findCondition(conditions, 'ContinuousArchiving')?.status,
      findCondition(conditions, 'Verified')?.status,
    ];
  });
  return table(everywhere ? ['NAMESPACE', ...header] : header, rows);
}

function window({ status }: BackupPolicy, now: Date): string | undefined {
  const { earliestTime, latestTime, gaps = [] } = status?.restorable ?? {};
  if (earliestTime === undefined || latestTime === undefined) return undefined;
  const holes = gaps.length === 0 ? '' : `, ${gaps.length} gap${gaps.length === 1 ? '' : 's'}`;
  return `${relative(earliestTime, now)} to ${relative(latestTime, now)}${holes}`;
}

function detail(policy: BackupPolicy, runs: readonly BackupRun[], now: Date, timeZone: string): string {
  const { metadata, spec, status } = policy;
  const at = (time: string | undefined) => {
    const instant = Date.parse(time ?? '');
    return Number.isNaN(instant) ? undefined : `${showInZone(instant, timeZone)} (${relative(time, now)})`;
  };
  const { earliestTime, latestTime, gaps = [] } = status?.restorable ?? {};
  const server = status?.server;
  const { workloadRef, host } = spec.source;
  const facts = pairs([
    ['Policy', `${metadata.namespace}/${metadata.name}${spec.suspend ? ' (suspended)' : ''}`],
    ['Source', workloadRef === undefined ? host : `${workloadRef.kind} ${workloadRef.name}`],
    ['Server', server?.version && `PostgreSQL ${server.version}, timeline ${server.timeline ?? 'unknown'}`],
    ['Repositories', spec.repositoryRefs.map((each) => each.name).join(', ')],
    ['Last backup', at(status?.lastSuccessfulRun?.completionTime) ?? 'none that succeeded'],
    ['Last failure', at(status?.lastFailedRun?.completionTime)],
    ['Next backup', spec.suspend ? 'none while suspended' : (at(status?.nextScheduleTime) ?? 'none is scheduled')],
    ['Restorable from', at(earliestTime)],
    ['Restorable to', at(latestTime)],
    ['Gaps', gaps.map(({ timeline, fromWal, toWal }) => `${fromWal} to ${toWal} on timeline ${timeline}`).join('; ')],
    ['WAL', wal(policy)],
  ]);
  const conditions = (status?.conditions ?? []).map(
    (each) =>
      `${mark(each.type, each.status)} ${each.type}: ${each.status} (${each.reason}). ${oneLine(each.message)}\n`,
  );
  const unseen = 'The operator has not looked at this policy yet: kubectl tidemark doctor says why that may be.\n';
  const current = status?.observedGeneration === metadata.generation;
  const stale =
    conditions.length > 0 && !current ? 'The operator has not looked at the latest change of this policy yet.\n' : '';
  const recent = newestFirst(runs).slice(0, recentRuns);
  const table = recent.length === 0 ? 'No backup is known.\n' : runTable(recent, now);
  return `${facts}\n${conditions.join('') || unseen}${stale}\n${table}`;
}

/** Conditions of which True is the bad case. */
const badWhenTrue: ReadonlySet<string> = new Set(['Stalled']);

export function mark(type: string, status: string): string {
  if (status === 'Unknown') return '?';
  return (status === 'True') === badWhenTrue.has(type) ? '!' : 'ok';
}

function wal({ spec, status }: BackupPolicy): string | undefined {
  if (spec.walArchiving.mode === 'None') return undefined;
  const { lastArchivedSegment, lagBytes, pendingSegments } = status?.wal ?? {};
  const parts = [
    lastArchivedSegment === undefined ? 'nothing archived is known' : `archived up to ${lastArchivedSegment}`,
    ...(toNumber(lagBytes) === undefined ? [] : [`${bytes(lagBytes)} behind`]),
    ...(pendingSegments === undefined ? [] : [`${pendingSegments} waiting`]),
  ];
  return `${spec.walArchiving.mode}, ${parts.join(', ')}`;
}
