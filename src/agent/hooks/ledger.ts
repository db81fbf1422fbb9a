import type { HookPhase, HookResult, HooksStatus } from '../../api/hooks.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import { describeHook } from '../../domain/hooks/describe.ts';
import type { NamedHook } from '../../domain/hooks/name.ts';
import type { Reporter } from '../report.ts';
import type { HookOutcome } from './outcome.ts';

/**
 * status.hooks, kept while hooks run: whoever comes after this agent goes by it, so that what is in it as done is not done
 * again.
 */
export interface Ledger {
  /** Which are to come; those are in it as Pending from now on. */
  expect(hooks: readonly NamedHook[], phase?: HookPhase): Promise<void>;
  begin(hook: NamedHook, pod: string | undefined): void;
  /** Resolves when it is written, or could not be. */
  end(hook: NamedHook, outcome: HookOutcome): Promise<void>;
  resultOf(name: string): HookResult | undefined;
}

export function createLedger(reporter: Pick<Reporter, 'facts'>, before: HooksStatus = {}): Ledger {
  let status: HooksStatus = before;
  const begun = new Map<string, number>();
  const write = () => reporter.facts({ hooks: status });
  const set = (result: HookResult) => {
    const others = (status.results ?? []).filter(({ hook }) => hook !== result.hook);
    status = { ...status, results: [...others, result].toSorted(inOrder) };
  };
  const find = (name: string) => status.results?.find(({ hook }) => hook === name);
  return {
    async expect(hooks, phase) {
      for (const { name, hook } of hooks)
        set({ hook: name, what: describeHook(hook), onError: hook.onError, state: 'Pending' });
      if (phase !== undefined) status = { ...status, phase };
      await write();
    },
    begin({ name, hook }, pod) {
      begun.set(name, performance.now());
      const startTime = rfc3339(new Date());
      set({ hook: name, what: describeHook(hook, pod), onError: hook.onError, state: 'Running', startTime });
      if (pod !== undefined) status = { ...status, pod };
      // Nobody waits for it: it tells what is going on, and decides nothing.
      void write();
    },
    async end({ name, hook }, { state, message }) {
      const seconds = Math.round((performance.now() - (begun.get(name) ?? performance.now())) / 1000);
      const known = find(name) ?? { hook: name, what: describeHook(hook), onError: hook.onError };
      set({ ...known, state, seconds, ...(message === '' ? {} : { message }) });
      await write();
    },
    resultOf: find,
  };
}

/** preBackup[2] before preBackup[10] before postBackup[0]. */
function inOrder(a: HookResult, b: HookResult): number {
  const [theirs, ours] = [placeOf(a), placeOf(b)];
  return theirs.list - ours.list || theirs.index - ours.index;
}

function placeOf({ hook }: HookResult): { readonly list: number; readonly index: number } {
  return { list: hook.startsWith('pre') ? 0 : 1, index: Number(/\[(\d+)\]/.exec(hook)?.[1] ?? 0) };
}
