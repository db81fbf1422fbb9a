import type { PitrRecovery } from '../../api/kinds.ts';
import { hasEnded } from '../run-progress.ts';

/**
 * Of two recoveries in place of one workload, the one that has scaled it down goes on, or else the older; its name for the
 * other. The second would take the replicas of the first for the workload's own, and undo what the first brings back.
 */
export function findRival(recovery: PitrRecovery, all: readonly PitrRecovery[]): string | undefined {
  const place = placeOf(recovery);
  if (place === undefined) return undefined;
  const rivals = all.filter(
    (other) =>
      other.metadata.uid !== recovery.metadata.uid &&
      placeOf(other) === place &&
      !hasEnded(other) &&
      comesBefore(other, recovery),
  );
  return rivals[0]?.metadata.name;
}

function placeOf({ spec }: PitrRecovery): string | undefined {
  const { inPlace } = spec.target;
  return inPlace === undefined || spec.dryRun ? undefined : `${inPlace.workloadRef.kind}/${inPlace.workloadRef.name}`;
}

function comesBefore(one: PitrRecovery, other: PitrRecovery): boolean {
  const begun = [one, other].map(({ status }) => status?.replicas !== undefined);
  if (begun[0] !== begun[1]) return begun[0] === true;
  const [a, b] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp} ${metadata.name}`);
  return (a ?? '') < (b ?? '');
}
