import type { BackupPolicy, BackupRun, PitrRecovery, RestoreRequest } from '../../api/kinds.ts';
import type { Drill } from '../../api/verification.ts';
import { findCondition } from '../../domain/conditions.ts';
import { secondsBetween } from '../../domain/display/quantities.ts';
import { labels } from '../../domain/labels.ts';
import { isDrill, isDrillOf } from '../../domain/verification/drill-history.ts';
import type { Shelf } from './seen.ts';

/** Something that was brought back, or was to be. What is undefined is not known. */
export interface Work {
  readonly kind: 'Drill' | 'Verification' | 'Recovery' | 'Extract' | 'Restore' | 'Dry run';
  readonly name: string;
  readonly phase: string;
  readonly started: string;
  readonly ended: string | undefined;
  /** The moment or the backup that was asked for, and where to. */
  readonly what: string;
  readonly seconds: number | undefined;
  readonly lostSeconds: number | undefined;
  readonly objectives: 'met' | 'missed' | undefined;
  readonly message: string | undefined;
}

interface Surroundings {
  readonly runs: readonly BackupRun[];
  readonly restores: Shelf<RestoreRequest>;
  readonly recoveries: Shelf<PitrRecovery>;
}

/** The newest first. Drills whose objects are gone are still told by the policy's status. */
export function worksOf(policy: BackupPolicy, { runs, restores, recoveries }: Surroundings): readonly Work[] {
  const own = recoveries.list().filter((each) => isReadable(each) && isRecoveryOf(policy, each));
  const names = new Set(runs.map(({ metadata }) => metadata.name));
  const ids = new Set(runs.flatMap(({ status }) => status?.backupID ?? []));
  const brought = restores.list().filter((each) => isReadable(each) && isRestoreOf(policy, each, { names, ids }));
  const present = new Set(own.map(({ metadata, status }) => `${metadata.name} ${status?.completionTime}`));
  const gone = (policy.status?.drills ?? []).filter(({ name, time }) => !present.has(`${name} ${time}`));
  return [...own.map(ofRecovery), ...brought.map(ofRestore), ...gone.map(ofDrill)].toSorted((one, other) =>
    other.started.localeCompare(one.started),
  );
}

function isReadable({ spec }: PitrRecovery | RestoreRequest): boolean {
  return spec?.source !== undefined && spec.target !== undefined;
}

function isRecoveryOf(policy: BackupPolicy, recovery: PitrRecovery): boolean {
  const { metadata } = recovery;
  const isHere = metadata.namespace === policy.metadata.namespace;
  if (isHere && metadata.labels?.[labels.verification] === policy.metadata.name) return true;
  return (isHere && recovery.spec.source.policyRef?.name === policy.metadata.name) || isDrillOf(policy, recovery);
}

function isRestoreOf(
  policy: BackupPolicy,
  { metadata, spec: { source }, status }: RestoreRequest,
  { names, ids }: { readonly names: ReadonlySet<string>; readonly ids: ReadonlySet<string> },
): boolean {
  if (metadata.namespace !== policy.metadata.namespace) return false;
  if (metadata.labels?.[labels.verification] === policy.metadata.name) return true;
  if (source.latest !== undefined) return source.latest.policyRef.name === policy.metadata.name;
  if (source.backupRunRef !== undefined) return names.has(source.backupRunRef.name);
  return ids.has(status?.backupID ?? source.repository?.backupID ?? '');
}

function ofRecovery(recovery: PitrRecovery): Work {
  const { metadata, spec, status } = recovery;
  const met = findCondition(status?.conditions, 'ObjectivesMet')?.status;
  return {
    kind: kindOf(recovery),
    name: metadata.name,
    phase: status?.phase ?? 'Pending',
    started: status?.startTime ?? metadata.creationTimestamp,
    ended: status?.completionTime,
    what: `${momentOf(recovery)} ${placeOf(recovery)}`,
    seconds: status?.measured?.rtoSeconds,
    lostSeconds: status?.measured?.rpoSeconds,
    objectives: spec.objectives === undefined || met === undefined ? undefined : objectivesIn[met],
    message: messageOf(recovery),
  };
}

const objectivesIn = { True: 'met', False: 'missed', Unknown: undefined } as const;

function kindOf(recovery: PitrRecovery): Work['kind'] {
  if (recovery.metadata.labels?.[labels.verification] !== undefined) return 'Verification';
  if (isDrill(recovery)) return 'Drill';
  if (recovery.spec.dryRun) return 'Dry run';
  return recovery.spec.extract === undefined ? 'Recovery' : 'Extract';
}

function momentOf({ spec, status }: PitrRecovery): string {
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = spec.recoveryTarget;
  const exact = status?.plan?.targetTime ?? targetTime;
  if (exact !== undefined) return `To ${exact}`;
  if (targetLSN !== undefined) return `To LSN ${targetLSN}`;
  if (targetXID !== undefined) return `To transaction ${targetXID}`;
  if (targetName !== undefined) return `To the restore point ${targetName}`;
  return targetImmediate === undefined ? 'To the end of the archive' : 'To the end of the base backup';
}

function placeOf({ spec: { target, extract } }: PitrRecovery): string {
  if (extract !== undefined) return 'for a copy of databases';
  if (target.instance !== undefined) return `as the new instance ${target.instance.name}`;
  return target.inPlace === undefined ? 'in a scratch server' : `in place of ${target.inPlace.workloadRef.name}`;
}

function ofRestore(restore: RestoreRequest): Work {
  const { metadata, spec, status } = restore;
  const { backupRunRef, latest, repository } = spec.source;
  const isVerification = metadata.labels?.[labels.verification] !== undefined;
  const backup = status?.backupID ?? repository?.backupID ?? backupRunRef?.name;
  return {
    kind: isVerification ? 'Verification' : spec.dryRun ? 'Dry run' : 'Restore',
    name: metadata.name,
    phase: status?.phase ?? 'Pending',
    started: status?.startTime ?? metadata.creationTimestamp,
    ended: status?.completionTime,
    what: `${backup === undefined ? `The latest ${latest?.method ?? ''} backup` : `Backup ${backup}`} ${destinationOf(restore)}`,
    seconds: status?.restoreSeconds ?? secondsBetween(status?.startTime, status?.completionTime),
    lostSeconds: undefined,
    objectives: undefined,
    message: messageOf(restore),
  };
}

function destinationOf({ spec: { target } }: RestoreRequest): string {
  if (target.server !== undefined) return `into ${target.server.workloadRef?.name ?? target.server.host ?? 'a server'}`;
  if (target.instance !== undefined) return `as the new instance ${target.instance.name}`;
  return target.inPlace === undefined ? 'in a scratch server' : `in place of ${target.inPlace.workloadRef.name}`;
}

function messageOf({ status }: PitrRecovery | RestoreRequest): string | undefined {
  return status?.error || findCondition(status?.conditions, 'Succeeded')?.message || undefined;
}

function ofDrill({ name, time, outcome, reason, backupID, rtoSeconds, rpoSeconds, objectivesMet }: Drill): Work {
  return {
    kind: 'Drill',
    name,
    phase: outcome,
    started: time,
    ended: time,
    what: backupID === undefined ? 'In a scratch server' : `From backup ${backupID} in a scratch server`,
    seconds: rtoSeconds,
    lostSeconds: rpoSeconds,
    objectives: objectivesMet === undefined ? undefined : objectivesMet ? 'met' : 'missed',
    message: outcome === 'Failed' ? reason : undefined,
  };
}
