import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { findCondition, type NewCondition } from '../../domain/conditions.ts';
import { hooksCondition } from '../../domain/hooks/judge.ts';
import { hooksOf } from '../../domain/hooks/name.ts';

/**
 * Whether the hooks of a policy do what they are there for: as its newest run has it, whose hooks have come to an end. One
 * with `onError: Continue` may fail without that.
 */
export function judgeHooks(
  policy: Pick<BackupPolicy, 'spec'>,
  newestFirst: readonly BackupRun[],
): readonly NewCondition[] {
  if (hooksOf(policy.spec) === undefined) return [];
  for (const { metadata, status } of newestFirst) {
    const known = findCondition(status?.conditions, hooksCondition);
    if (known === undefined || known.status === 'Unknown') continue;
    const isFine = known.status === 'True' || known.reason === 'HookFailureIgnored';
    const message = `${metadata.name}: ${known.message}`;
    return [{ type: hooksCondition, status: isFine ? 'True' : 'False', reason: known.reason, message }];
  }
  return [];
}
