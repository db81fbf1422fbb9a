import type { NewCondition } from './conditions.ts';

/**
 * What a tool that knows no kind of ours goes by (kstatus: Flux, Argo CD, kpt): `Reconciling` while a run is under way,
 * `Stalled` when it ended without doing what its spec says, neither when it is done. A cancelled run has stalled as well:
 * whatever waits for it must not go on.
 */
export function standing({ status, reason, message }: NewCondition): readonly NewCondition[] {
  if (status === 'True') return [];
  return [{ type: status === 'Unknown' ? 'Reconciling' : 'Stalled', status: 'True', reason, message }];
}

export function isStanding({ type }: Pick<NewCondition, 'type'>): boolean {
  return type === 'Reconciling' || type === 'Stalled';
}
