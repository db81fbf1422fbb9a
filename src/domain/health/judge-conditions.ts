import type { Condition } from '../../api/condition.ts';
import type { BackupPolicy } from '../../api/kinds.ts';
import { findCondition } from '../conditions.ts';
import type { Finding } from './finding.ts';

/** What the operator says in the policy's conditions, and what it ought to say and does not. */
export function* judgeConditions({ metadata, spec, status }: BackupPolicy): Iterable<Finding> {
  const conditions = status?.conditions ?? [];
  if (metadata.deletionTimestamp !== undefined)
    yield {
      level: 'attention',
      words: 'The policy is being deleted; its stored backups stay.',
      reason: 'Deleting',
      since: metadata.deletionTimestamp,
    };
  if ((status?.observedGeneration ?? -1) < metadata.generation)
    yield {
      level: 'unknown',
      words: 'The operator has not looked at the latest change of this policy yet; what follows is of the one before.',
      reason: 'NotLookedAt',
    };
  if (spec.suspend)
    yield {
      level: 'suspended',
      words: 'Suspended by spec.suspend: no schedule runs, no WAL is archived, nothing is deleted.',
      reason: 'Suspended',
    };
  for (const type of [
    'Ready',
    'LastBackupSucceeded',
    ...(spec.walArchiving.mode === 'None' ? [] : ['ContinuousArchiving']),
  ])
    if (findCondition(conditions, type) === undefined)
      yield { level: 'unknown', words: `The operator has not said the condition ${type} yet.`, reason: 'NotLookedAt' };
  for (const condition of conditions) {
    const level = levelOf(condition);
    const { type, reason, message, lastTransitionTime: since } = condition;
    if (level !== undefined) yield { level, words: message || `${type} is ${condition.status}.`, reason, since };
  }
}

/** Level of False, and of Unknown; what is not named is no more than worth a look where it is False. */
const rules: Readonly<Record<string, readonly [Finding['level'] | undefined, Finding['level'] | undefined]>> = {
  Ready: ['failing', 'unknown'],
  LastBackupSucceeded: ['failing', 'unknown'],
  ContinuousArchiving: ['failing', 'unknown'],
  // judge-proofs.ts has the doubts.
  Verified: ['failing', undefined],
  // True is the bad case of these two.
  Stalled: [undefined, undefined],
  Reconciling: [undefined, undefined],
};

/** What a person has asked for is no fault; that the policy is suspended is said once. */
const askedFor: ReadonlySet<string> = new Set(['Suspended', 'DryRun']);

function levelOf({ type, status, reason }: Condition): Finding['level'] | undefined {
  if (type === 'Stalled' && status === 'True') return 'failing';
  if (status === 'True' || askedFor.has(reason)) return undefined;
  if (reason === 'TakingBack') return 'attention';
  const [isFalse, isUnknown] = rules[type] ?? ['attention', undefined];
  return status === 'False' ? isFalse : isUnknown;
}
