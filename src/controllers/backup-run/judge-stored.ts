import type { BackupRunStatus } from '../../api/backup-run.ts';
import type { Condition } from '../../api/condition.ts';
import type { BackupRun } from '../../api/kinds.ts';
import { findCondition, type NewCondition } from '../../domain/conditions.ts';
import { labels } from '../../domain/labels.ts';
import { type Collapse, comparedRuns, findCollapses, type StoredSize } from '../../domain/size-collapse.ts';
import type { EventNote } from '../../kube/events.ts';
import { judgeType, madeType } from './judge-type.ts';

/**
 * What is to be said of a backup that is stored, beside whether it succeeded: none of it makes the run fail, and each may
 * be what a person wanted.
 */
export function judgeStored(
  run: BackupRun,
  others: readonly BackupRun[],
  state: 'Completed' | 'Failed',
): readonly NewCondition[] {
  // One that lacks databases says so by itself.
  const size = state === 'Completed' ? judgeSize(run, others) : [];
  return [...judgeType(run), ...judgeGlobals(run.status), ...judgeDumps(run), ...size];
}

/** A Warning for each that is not as it should be, when that becomes known. */
export function warningsOf(
  before: readonly Condition[] | undefined,
  judged: readonly NewCondition[],
): readonly EventNote[] {
  return judged
    .filter(({ type, status }) => status === 'False' && findCondition(before, type)?.status !== 'False')
    .map(({ reason, message }) => ({ type: 'Warning', reason, action: 'Backup', note: message }));
}

function judgeGlobals(status: BackupRunStatus | undefined): readonly NewCondition[] {
  const type = 'GlobalsComplete';
  const { globals } = status ?? {};
  if (globals === undefined) return [];
  if (globals.withPasswords !== false)
    return [
      { type, status: 'True', reason: 'Stored', message: 'Roles and tablespaces are stored, as the policy asks' },
    ];
  const message =
    'The roles are stored without their passwords, since the role of source.credentialsSecretRef may not read pg_authid: after a restore of the globals nobody can log in by password until each role has one again (ALTER ROLE … PASSWORD …). To have them in the backup, let the policy use a superuser or, from PostgreSQL 14 on, run: GRANT pg_read_all_data TO that role; to have no roles at all, set logical.globals: None.';
  return [{ type, status: 'False', reason: 'RolesWithoutPasswords', message }];
}

function judgeDumps(run: BackupRun): readonly NewCondition[] {
  const type = 'DumpsComplete';
  const databases = run.status?.databases ?? [];
  if (!isTold(run)) {
    const message =
      'The API server was away when the agent ended, and the databases are more than its last words can hold, so that status.databases says nothing of what is stored. The manifest in the repository has all of them, and a restore reads it there.';
    return [{ type, status: 'Unknown', reason: 'DatabasesNotTold', message }];
  }
  const warned = databases.filter(({ state, message }) => state === 'Stored' && message !== undefined);
  const dropped = databases.filter(({ state }) => state === 'Dropped');
  const messages: string[] = [];
  if (dropped.length > 0) {
    const names = dropped.map(({ name }) => name).join(', ');
    messages.push(
      `Dropped by somebody while the backup ran, and not in it: ${names}. If that was no accident there is nothing to do; else restore them from an earlier backup, and name them in logical.databases.include, so that a backup without them fails.`,
    );
  }
  if (warned.length > 0) {
    const said = warned.map(({ name, message }) => `${name}: ${message}`).join(' ');
    messages.push(
      `pg_dump succeeded and warned, so that a dump may lack what it names. Look whether you need it; some of it only a superuser may read. ${said}`,
    );
  }
  const reason = warned.length > 0 ? 'DumpWarnings' : 'DatabasesDropped';
  return messages.length === 0 ? [] : [{ type, status: 'False', reason, message: messages.join(' ') }];
}

/** A stored backup has databases, none of them pending, unless what the agent said of them got lost. */
function isTold({ spec, status }: BackupRun): boolean {
  const { databases = [] } = status ?? {};
  return spec.method === 'Physical' || (databases.length > 0 && databases.every(({ state }) => state !== 'Pending'));
}

function judgeSize(run: BackupRun, others: readonly BackupRun[]): readonly NewCondition[] {
  const type = 'SizeAsExpected';
  const before = others.filter((other) => isLike(run, other)).sort(newestFirst);
  const sizes = before.flatMap((other) => sizeOf(other) ?? []);
  const now = sizeOf(run);
  if (now === undefined || sizes.length === 0) return [];
  const collapses = findCollapses(now, sizes);
  if (collapses.length === 0) {
    const last = sizes.length === 1 ? 'last backup' : `last ${Math.min(sizes.length, comparedRuns)} backups`;
    const message = `Neither the backup nor one of its databases has less than half of its size in the ${last}`;
    return [{ type, status: 'True', reason: 'AsBefore', message }];
  }
  const message = `The backup is much smaller than the last ones: ${collapses.slice(0, 10).map(describe).join('; ')}. Look whether data was deleted, or whether the policy leaves something out that it did not before; until you know, keep an earlier backup (hold: true in ${before[0]?.metadata.name}).`;
  return [{ type, status: 'False', reason: 'SizeCollapsed', message }];
}

function describe({ database, bytes, usual }: Collapse): string {
  const what = database === undefined ? 'as a whole' : `database ${database}`;
  return database !== undefined && bytes === 0
    ? `${what} is not in it any more (${usual} bytes before)`
    : `${what} ${bytes} bytes instead of ${usual}`;
}

/** A successful one of the same policy, schedule (or by hand as well), method and type. */
function isLike(run: BackupRun, other: BackupRun): boolean {
  return (
    other.status?.phase === 'Completed' &&
    other.spec.method === run.spec.method &&
    madeType(other) === madeType(run) &&
    other.metadata.labels?.[labels.schedule] === run.metadata.labels?.[labels.schedule]
  );
}

function newestFirst(a: BackupRun, b: BackupRun): number {
  return (b.status?.backupID ?? '').localeCompare(a.status?.backupID ?? '');
}

/** undefined where the agent could not tell. */
function sizeOf(run: BackupRun): StoredSize | undefined {
  const { status } = run;
  const stored = status?.size?.stored;
  if (stored === undefined) return undefined;
  if (!isTold(run)) return { stored: Number(stored), databases: undefined };
  const databases = (status?.databases ?? []).flatMap(({ name, storedBytes }) =>
    storedBytes === undefined ? [] : [[name, Number(storedBytes)] as const],
  );
  return { stored: Number(stored), databases: new Map(databases) };
}
