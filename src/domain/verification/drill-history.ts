import type { BackupPolicy, PitrRecovery } from '../../api/kinds.ts';
import type { Drill } from '../../api/verification.ts';
import { findCondition } from '../conditions.ts';
import { labels } from '../labels.ts';

const kept = 20;

/** A recovery into an ephemeral server that copied nothing out of it: nobody needed it but to know. */
export function isDrill({ metadata, spec }: Pick<PitrRecovery, 'metadata' | 'spec'>): boolean {
  if (metadata.labels?.[labels.verification] !== undefined) return false;
  return spec.target.ephemeral !== undefined && spec.extract === undefined && !spec.dryRun;
}

/** Of this policy's backups, by its name or from the repository alone. */
export function isDrillOf({ metadata }: Pick<BackupPolicy, 'metadata'>, recovery: PitrRecovery): boolean {
  const { policyRef, repository } = recovery.spec.source;
  const isOwn = policyRef?.name === metadata.name && recovery.metadata.namespace === metadata.namespace;
  const isFromAfar = repository?.policy === metadata.name && repository.namespace === metadata.namespace;
  return isDrill(recovery) && (isOwn || isFromAfar);
}

/** The newest first: those that are known already, and those that have ended since. An object that is gone stays told. */
export function drillHistory(
  before: readonly Drill[] | undefined,
  recoveries: readonly PitrRecovery[],
): readonly Drill[] {
  const all = new Map((before ?? []).map((drill) => [keyOf(drill), drill]));
  for (const recovery of recoveries) {
    const drill = drillOf(recovery);
    if (drill !== undefined) all.set(keyOf(drill), drill);
  }
  return [...all.values()]
    .toSorted((one, other) => other.time.localeCompare(one.time) || one.name.localeCompare(other.name))
    .slice(0, kept);
}

function keyOf({ name, time }: Drill): string {
  return `${time} ${name}`;
}

function drillOf({ metadata, status }: PitrRecovery): Drill | undefined {
  const { phase, completionTime: time, measured, plan, conditions } = status ?? {};
  if ((phase !== 'Completed' && phase !== 'Failed') || time === undefined) return undefined;
  const met = findCondition(conditions, 'ObjectivesMet')?.status;
  const reason = findCondition(conditions, 'Succeeded')?.reason;
  // What a failed one measured is not what a recovery takes.
  const { rtoSeconds, rpoSeconds } = phase === 'Completed' ? (measured ?? {}) : {};
  return {
    name: metadata.name,
    time,
    outcome: phase,
    ...(reason === undefined ? {} : { reason }),
    ...(plan?.backupID === undefined ? {} : { backupID: plan.backupID }),
    ...(rtoSeconds === undefined ? {} : { rtoSeconds }),
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    ...(met === 'True' || met === 'False' ? { objectivesMet: met === 'True' } : {}),
  };
}
