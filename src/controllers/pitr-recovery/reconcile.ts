import { conditionsAfter } from '../../domain/conditions.ts';
import { notImplementedMessage } from '../../domain/not-implemented.ts';
import type { Outcome } from '../../kube/controller.ts';
import type { Context } from '../context.ts';
import { writeStatus } from '../write-status.ts';

const ownedStatus = ['observedGeneration', 'phase', 'conditions', 'error'] as const;

/** Physical backups and WAL are not there yet: every PitrRecovery is refused, in so many words. */
export async function reconcileRecovery(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const recovery = context.caches.recoveries.get(namespace, name);
  if (recovery === undefined || recovery.metadata.deletionTimestamp !== undefined) return 'done';
  const message = notImplementedMessage(['PitrRecovery']);
  const wanted = [{ type: 'Succeeded', status: 'False', reason: 'NotImplemented', message }] as const;
  const { generation } = recovery.metadata;
  const conditions = conditionsAfter(recovery.status?.conditions, wanted, generation, context.clock.now());
  const written = await writeStatus(
    context,
    recovery,
    ownedStatus,
    { observedGeneration: generation, phase: 'Failed', conditions, error: message },
    signal,
  );
  if (written)
    context.record(recovery, { type: 'Warning', reason: 'NotImplemented', action: 'Recover', note: message });
  return 'done';
}
