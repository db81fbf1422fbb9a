import type { RetentionStatus } from '../../api/retention.ts';
import type { ActionOutcome } from '../action.ts';

/** What became of it, in one sentence or two. */
export function describe(after: RetentionStatus, before: RetentionStatus): ActionOutcome {
  const known = new Set((before.deleted ?? []).map(markOf));
  const deleted = (after.deleted ?? []).filter((each) => !known.has(markOf(each)));
  const sum = (of: 'keep' | 'delete' | 'walSegments') =>
    (after.repositories ?? []).reduce((total, counts) => total + counts[of], 0);
  const pruned = after.pruned !== undefined && after.pruned.time !== before.pruned?.time ? after.pruned : undefined;
  const done = [
    ...(deleted.length === 0 ? [] : [count(deleted.length, 'backup')]),
    ...(pruned === undefined ? [] : [`${count(pruned.segments, 'WAL segment')} (${sizeOf(pruned.bytes)})`]),
  ];
  const locked = (after.plan ?? []).filter(({ action }) => action === 'Locked').length;
  const going = [count(sum('delete'), 'backup'), count(sum('walSegments'), 'WAL segment')].join(' and ');
  const words = [
    done.length === 0 ? '' : `Deleted ${done.join(' and ')}.`,
    `${count(sum('keep'), 'backup')} ${sum('keep') === 1 ? 'stays' : 'stay'};`,
    after.dryRun === true
      ? `${going} would go, but retention.dryRun is set.`
      : sum('delete') + sum('walSegments') === 0
        ? 'nothing is to go now.'
        : `${going} are to go, the next at ${after.nextDueTime}.`,
    locked === 0 ? '' : `${count(locked, 'backup')} that is to go is locked by the store.`,
  ];
  const reason = after.dryRun === true ? 'DryRun' : locked > 0 ? 'Locked' : 'Applied';
  return { reason, message: words.filter((word) => word !== '').join(' ') };
}

function markOf({ repository, systemIdentifier, backupID, time }: NonNullable<RetentionStatus['deleted']>[number]) {
  return [repository, systemIdentifier, backupID, time].join('/');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function sizeOf(bytes: string): string {
  return `${(Number(bytes) / 1024 ** 2).toFixed(1)} MiB`;
}
