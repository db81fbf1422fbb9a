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
 * it ended: a moment, or the last commit in the archive and what that lacked of the source. Where the source writes
 * heartbeats, its WAL alone tells: what it had committed after the last one that the archive had is lost, and nobody knows
 * how much that is, so all the time since counts. Where nothing of it can be told (another kind of target, no commit since
 * the backup) there is no rpoSeconds.
 */
export function measure(
  { target, plan, askedTime, lagSeconds }: Pick<RecoverTask, 'target' | 'plan' | 'askedTime' | 'lagSeconds'>,
  reached: Reached,
  { begun, laid, now }: Times,
): Measured {
  // Two clocks: that of the API server may be ahead.
  const asked = askedTime === undefined ? begun : new Date(Math.min(Date.parse(askedTime), begun.getTime()));
  const took = {
    rtoSeconds: seconds(asked, now),
    parts: { planning: seconds(asked, begun), base: seconds(begun, laid), replay: seconds(laid, now) },
  };
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = target;
  if ([targetLSN, targetXID, targetName, targetImmediate].some((one) => one !== undefined)) return took;
  const rpoSeconds = lost({ targetTime, plan, lagSeconds }, reached);
  if (rpoSeconds === undefined) return took;
  const { heartbeatSeconds } = plan;
  return { ...took, rpoSeconds, ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }) };
}

type Wanted = Pick<RecoverTask, 'plan' | 'lagSeconds'> & { readonly targetTime: string | undefined };

function lost({ targetTime, plan, lagSeconds }: Wanted, { time }: Reached): number | undefined {
  const { endOfArchiveTime, readTime, heartbeatSeconds } = plan;
  if (targetTime !== undefined) return time === undefined ? undefined : seconds(new Date(time), new Date(targetTime));
  if (
    heartbeatSeconds !== undefined &&
    readTime !== undefined &&
    endOfArchiveTime !== undefined &&
    time !== undefined
  ) {
    // What came while the base was laid would not have come from a source that is lost.
    const last = Math.min(Date.parse(time), Date.parse(endOfArchiveTime));
    return seconds(new Date(last), new Date(readTime));
  }
  if (endOfArchiveTime === undefined || time === undefined) return lagSeconds;
  // To the end of the archive: what the source had and the archive had not would be lost besides.
  return seconds(new Date(time), new Date(endOfArchiveTime)) + (lagSeconds ?? 0);
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
}
