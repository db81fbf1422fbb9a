import type { HookPhase, HookResult, Hooks, HooksStatus } from '../../api/hooks.ts';
import type { NewCondition } from '../conditions.ts';
import { comingAfter, isDone } from './name.ts';

export const hooksCondition = 'HooksSucceeded';

/** Of a run that has ended: the hooks that are still to be run, by their names. */
export function outstanding(
  hooks: Hooks | undefined,
  status: HooksStatus | undefined,
  phase: HookPhase,
): readonly string[] {
  const results = status?.results ?? [];
  // An agent that came so far has said which there are: those of the policy as it was.
  if (status?.phase !== undefined)
    return results.filter((each) => isPost(each) && !isDone(each)).map(({ hook }) => hook);
  return hooks === undefined ? [] : comingAfter(hooks, phase).map(({ name }) => name);
}

/** Of a run that has ended; none where it had no hooks. */
export function judgeHooks(
  hooks: Hooks | undefined,
  status: HooksStatus | undefined,
  phase: HookPhase,
): readonly NewCondition[] {
  const type = hooksCondition;
  const waiting = outstanding(hooks, status, phase);
  if (waiting.length > 0) {
    const message = `Still to be run: ${waiting.join(', ')}. They run in a Job of their own`;
    return [{ type, status: 'Unknown', reason: 'HooksPending', message }];
  }
  const results = status?.results ?? [];
  if (results.length === 0) return [];
  return [{ type, ...verdictOf(results) }];
}

/** They could not be run at all. */
export function notRun(waiting: readonly string[], why: string): NewCondition {
  const message = `Not run: ${waiting.join(', ')}. ${why} What they do is left undone: see to it by hand.`;
  return { type: hooksCondition, status: 'False', reason: 'HooksNotRun', message };
}

function verdictOf(results: readonly HookResult[]): Omit<NewCondition, 'type'> {
  const failed = results.filter(({ state }) => state === 'Failed');
  if (failed.length === 0) {
    const ran = results.filter(({ state }) => state === 'Succeeded').length;
    return { status: 'True', reason: 'HooksRan', message: `All of them succeeded: ${ran}` };
  }
  const message = failed.map(({ hook, message = '' }) => `${hook} failed: ${message}`).join(' ');
  const isBad = failed.some(({ onError }) => onError !== 'Continue');
  return { status: 'False', reason: isBad ? 'HookFailed' : 'HookFailureIgnored', message };
}

function isPost({ hook }: HookResult): boolean {
  return hook.startsWith('postBackup[');
}
