import type { PitrRecoveryStatus } from '../../../api/pitr-recovery.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import type { Reached } from './follow-server.ts';

/**
 * How long it took, and how far before what was wanted it ended: a moment, or the last commit in the archive. Where
 * neither can be told (another kind of target, no commit since the backup) there is no rpoSeconds.
 */
export function measure(
  { target, plan }: Pick<RecoverTask, 'target' | 'plan'>,
  reached: Reached,
  begun: Date,
  now: Date,
): NonNullable<PitrRecoveryStatus['measured']> {
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = target;
  const others = [targetLSN, targetXID, targetName, targetImmediate].some((one) => one !== undefined);
  const wanted = others ? undefined : (targetTime ?? plan.endOfArchiveTime);
  const rtoSeconds = Math.round((now.getTime() - begun.getTime()) / 1000);
  if (wanted === undefined || reached.time === undefined) return { rtoSeconds };
  const behind = (Date.parse(wanted) - Date.parse(reached.time)) / 1000;
  return { rtoSeconds, rpoSeconds: Math.max(0, Math.round(behind)) };
}
