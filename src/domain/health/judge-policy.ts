import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { type Finding, type Health, healthOf } from './finding.ts';
import { judgeAges } from './judge-ages.ts';
import { judgeConditions } from './judge-conditions.ts';
import { judgeProofs } from './judge-proofs.ts';

/** Bytes of WAL; less than that, and the server may drop the slot within minutes (the alert TidemarkSlotNearlyLost). */
const leastSafeBytes = 512 * 1024 ** 2;

/**
 * What is to be thought of a policy, from what is written on it and on its runs: sound only where everything that it asks
 * for is known to be done, and where a backup of it was brought back once. `runs` are the policy's own.
 */
export function judgePolicy(policy: BackupPolicy, runs: readonly BackupRun[], now: Date): Health {
  if ((policy.status?.conditions ?? []).length === 0)
    return healthOf([
      {
        level: 'unknown',
        words: 'The operator has not looked at this policy yet. If that stays so, look at its log.',
        reason: 'NotLookedAt',
        since: policy.metadata.creationTimestamp,
      },
    ]);
  return healthOf([
    ...judgeConditions(policy),
    ...judgeAges(policy, runs, now),
    ...judgeWindow(policy, runs),
    ...judgeProofs(policy, runs, now),
  ]);
}

function* judgeWindow({ spec, status }: BackupPolicy, runs: readonly BackupRun[]): Iterable<Finding> {
  if (spec.walArchiving.mode === 'None') return;
  const { earliestTime, latestTime, gaps = [] } = status?.restorable ?? {};
  if (earliestTime === undefined || latestTime === undefined)
    yield {
      level: 'unknown',
      words:
        'No moment is known that the WAL could be replayed to: that takes a complete physical backup, and WAL after it.',
      reason: 'NothingRestorable',
    };
  const last = gaps.at(-1);
  const bases = runs.filter((run) => run.spec.method === 'Physical' && run.status?.phase === 'Completed');
  const end = Date.parse(last?.toTime ?? '');
  const isBridged = bases.some((run) => Date.parse(run.status?.startTime ?? '') >= end);
  if (last !== undefined && !isBridged)
    yield {
      level: 'attention',
      words: `WAL is missing from ${last.fromWal} to ${last.toWal}, and no physical backup is known that began after it: what came since is not known to be restorable.`,
      reason: 'WalGap',
      ...(last.toTime === undefined ? {} : { since: last.toTime }),
    };
  const safe = Number(status?.wal?.slot?.safeBytes ?? Number.NaN);
  if (safe < leastSafeBytes)
    yield {
      level: 'failing',
      words: `The server drops the replication slot after ${Math.round(safe / 1024 ** 2)} MiB more WAL; after that there is a gap. Let the repository be reached, or raise max_slot_wal_keep_size.`,
      reason: 'SlotNearlyLost',
    };
}
