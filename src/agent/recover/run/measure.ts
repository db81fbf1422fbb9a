import type { PitrRecoveryStatus } from '../../../api/pitr-recovery.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import type { Reached } from './follow-server.ts';

export type Measured = NonNullable<PitrRecoveryStatus['measured']>;

export interface Times {
  /** This agent began, when the plan was made and the pod was there. */
  readonly begun: Date;
  /** The base backup was laid. */
  readonly laid: Date;
  readonly now: Date;
}

/**
 * How long it took from the asking to a server that answers, and where the time went; and how far before what was wanted
 * it ended: a moment, or the last commit in the archive and what that lacked of the source. Where nothing of it can be
 * told (another kind of target, no commit since the backup) there is no rpoSeconds.
 */
export function measure(
  { target, plan, askedTime, lagSeconds }: Pick<RecoverTask, 'target' | 'plan' | 'askedTime' | 'lagSeconds'>,
  reached: Reached,
  { begun, laid, now }: Times,
): Measured {
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = target;
  const others = [targetLSN, targetXID, targetName, targetImmediate].some((one) => one !== undefined);
  const wanted = others ? undefined : (targetTime ?? plan.endOfArchiveTime);
  // Two clocks: that of the API server may be ahead.
  const asked = askedTime === undefined ? begun : new Date(Math.min(Date.parse(askedTime), begun.getTime()));
  const took = {
    rtoSeconds: seconds(asked, now),
    parts: { planning: seconds(asked, begun), base: seconds(begun, laid), replay: seconds(laid, now) },
  };
  // To the end of the archive: what the source had and the archive had not would be lost besides.
  const missing = others || targetTime !== undefined ? undefined : lagSeconds;
  if (wanted === undefined || reached.time === undefined)
    return missing === undefined ? took : { ...took, rpoSeconds: missing };
  const behind = (Date.parse(wanted) - Date.parse(reached.time)) / 1000;
  return { ...took, rpoSeconds: Math.max(0, Math.round(behind)) + (missing ?? 0) };
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
}
