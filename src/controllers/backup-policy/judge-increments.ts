import type { BackupPolicy } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { faultWords, hasFaultyIncrements } from '../../domain/increment/faulty-versions.ts';

/** Whether the increments that a policy has scheduled can be relied on, once its server's version is known. */
export function judgeIncrements(
  { spec }: Pick<BackupPolicy, 'spec'>,
  version: string | undefined,
): readonly NewCondition[] {
  const schedules = spec.schedules.filter((schedule) => schedule.type !== 'Full').map(({ name }) => name);
  if (schedules.length === 0 || version === undefined) return [];
  const type = 'IncrementsTrusted';
  if (!hasFaultyIncrements(version)) {
    const message = `No fault of the increments of PostgreSQL ${version} is known`;
    return [{ type, status: 'True', reason: 'SoundVersion', message }];
  }
  const which = `${schedules.length === 1 ? 'The schedule' : 'The schedules'} ${schedules.join(', ')}`;
  const message = spec.physical.allowFaultyIncrementals
    ? `${faultWords(version)} ${which} make them nevertheless, as physical.allowFaultyIncrementals says. Update the server, and make a full backup then; until then, restore each one to a scratch server before you rely on it.`
    : `${faultWords(version)} Every backup of ${schedules.join(', ')} fails. Update the server, or set type: Full; physical.allowFaultyIncrementals: true makes increments nevertheless.`;
  const reason = spec.physical.allowFaultyIncrementals ? 'FaultyVersionAllowed' : 'FaultyVersion';
  return [{ type, status: 'False', reason, message }];
}
