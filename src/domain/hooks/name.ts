import type { BackupPolicySpec } from '../../api/backup-policy.ts';
import type { Hook, HookPhase, HookResult, Hooks } from '../../api/hooks.ts';

export type HookList = 'preBackup' | 'postBackup';

export interface NamedHook {
  readonly list: HookList;
  readonly index: number;
  /** preBackup[0] */
  readonly name: string;
  readonly hook: Hook;
}

export function named(hooks: Hooks, list: HookList): readonly NamedHook[] {
  return hooks[list].map((hook, index) => ({ list, index, name: hookName(list, index), hook }));
}

export function hookName(list: HookList, index: number): string {
  return `${list}[${index}]`;
}

/** undefined where a policy has none. */
export function hooksOf({ hooks }: Pick<BackupPolicySpec, 'hooks'>): Hooks | undefined {
  return hooks === undefined || hooks.preBackup.length + hooks.postBackup.length === 0 ? undefined : hooks;
}

/** Those that come after a run that ended so; a cancelled backup is one that there is not. */
export function comingAfter(hooks: Hooks, phase: HookPhase): readonly NamedHook[] {
  return named(hooks, 'postBackup').filter(({ index }) => {
    const when = hooks.postBackup[index]?.when;
    return when === 'Always' || (when === 'OnSuccess') === (phase === 'Completed');
  });
}

/** One that was begun may have been done, or not: it is done again. */
export function isDone({ state }: Pick<HookResult, 'state'>): boolean {
  return state === 'Succeeded' || state === 'Failed';
}

/** The container of the target's pod and its commands: undefined where no hook runs one. */
export function hasCommands(hooks: Hooks): boolean {
  return [...hooks.preBackup, ...hooks.postBackup].some(({ exec }) => exec !== undefined);
}
