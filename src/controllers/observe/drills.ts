import type { BackupPolicy, PitrRecovery } from '../../api/kinds.ts';
import { isDrill } from '../../domain/verification/drill-history.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Figure, FigureName } from '../../observability/figures.ts';
import { holds, instant } from './known.ts';
import { newest } from './runs.ts';

/** Of the drills; verifications have figures of their own. */
export function* figuresOfDrills(
  { metadata }: BackupPolicy & KubeObject,
  recoveries: readonly PitrRecovery[],
): Iterable<Figure> {
  const labels = { namespace: metadata.namespace, policy: metadata.name };
  const one = (name: FigureName, value: number | undefined): Figure => ({ name, labels, value });
  const drills = recoveries.filter(isDrill);
  const last = newest(drills, ({ status }) =>
    status?.phase === 'Completed' || status?.phase === 'Failed' ? status.completionTime : undefined,
  )?.status;
  yield one('last_drill_timestamp_seconds', instant(last?.completionTime));
  yield one('drill_succeeded', last === undefined ? undefined : last.phase === 'Completed' ? 1 : 0);
  const good = newest(drills, ({ status }) =>
    status?.phase === 'Completed' ? status.completionTime : undefined,
  )?.status;
  yield one('drill_rto_seconds', good?.measured?.rtoSeconds);
  yield one('drill_rpo_seconds', good?.measured?.rpoSeconds);
  yield one('drill_objectives_met', holds(good?.conditions, 'ObjectivesMet'));
}
