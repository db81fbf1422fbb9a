import type { RecoveryPlan } from '../../../api/pitr-recovery.ts';
import { formatLsn, parseLsn } from '../../../domain/wal/lsn.ts';
import { fromLogTime } from './explain-log.ts';
import type { Reached } from './follow-server.ts';

/** Commits that go on at the same time are not written in the order of their times; their clock is the same. */
const minute = 60_000;
const stopped = /recovery stopping before (commit|abort) of transaction (\d+), time (\S+ \S+)/g;

type Known = Pick<RecoveryPlan, 'endOfArchive' | 'endOfArchiveTime' | 'targetLSN' | 'segmentSize'>;

/**
 * A sentence for who asked for a moment and got less, because the source's clock had been ahead: replay stops at the first
 * transaction that says it ended later. Empty where nothing tells of such a clock: the archive's last commit, and the
 * segment that the plan expected replay to stop in, must contradict the transaction's time.
 */
export function wordsOfClockAhead(
  log: string,
  { targetTime, plan }: { readonly targetTime: string | undefined; readonly plan: Known },
  reached: Reached,
): string {
  const [, what, transaction, text = ''] = [...log.matchAll(stopped)].at(-1) ?? [];
  const time = fromLogTime(text);
  if (targetTime === undefined || time === undefined) return '';
  const behind = behindIt(Date.parse(time), targetTime, plan, { ...reached, isCommit: what === 'commit' });
  if (behind === undefined) return '';
  return ` Replay stopped at ${reached.lsn}, before transaction ${transaction}, which ended at ${time} by the source's clock, though behind it the archive ${behind}: the clock had been ahead there, and was set back later. What was committed behind it by ${targetTime} is not in the result. To have it, ask for a targetLSN between ${reached.lsn} and ${plan.endOfArchive}, or for a targetXID, or leave the target out, in a new PitrRecovery.`;
}

function behindIt(
  time: number,
  targetTime: string,
  { endOfArchiveTime, targetLSN, segmentSize }: Known,
  { lsn, isCommit }: Reached & { readonly isCommit: boolean },
): string | undefined {
  if (endOfArchiveTime !== undefined && time > Date.parse(endOfArchiveTime) + minute)
    return `goes on to a commit of ${endOfArchiveTime}`;
  if (targetLSN === undefined || !isCommit || time <= Date.parse(targetTime) + minute) return undefined;
  // The plan saw a commit by the target just before that segment.
  const last = parseLsn(targetLSN) - 1n;
  const begin = last - (last % BigInt(segmentSize));
  return parseLsn(lsn) < begin ? `has commits from before the target, up to ${formatLsn(begin)}` : undefined;
}
