import type { Condition } from '../../api/condition.ts';
import type { Fate } from '../../domain/job-state.ts';
import { troubles } from './view-job.ts';

/**
 * At its deadline a Job removes its pod first, and with it the reason why that did not start; for a moment there is then
 * a pod that is being removed, one that has ended in a way that nobody knows, or none. What was said before is why.
 */
export function rememberTrouble(fate: Fate, before: Condition | undefined): Fate {
  if (before?.status !== 'Unknown' || !troubles.has(before.reason)) return fate;
  if ('unexplained' in fate && fate.unexplained)
    return { state: 'Pending', reason: before.reason, message: before.message };
  if (fate.reason !== 'DeadlineExceeded' || fate.message.includes(before.message)) return fate;
  return { ...fate, message: `${fate.message} Its pod did not start: ${before.message}` };
}
