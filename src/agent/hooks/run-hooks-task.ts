import type { BackupRunStatus } from '../../api/backup-run.ts';
import { comingAfter, isDone } from '../../domain/hooks/name.ts';
import { noticeOf } from '../../domain/hooks/notice.ts';
import type { HooksTask } from '../../domain/task.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { createLedger } from './ledger.ts';
import { createHookRunner, type HookSurroundings } from './run-hook.ts';
import { tell } from './with-hooks.ts';

export interface HooksContext extends ActionContext<HooksTask> {
  readonly client: HookSurroundings['client'];
  /** Of the run, as it stands; undefined where the API server does not answer. */
  readonly status: BackupRunStatus | undefined;
  readonly folders?: { readonly access?: HookSurroundings['access']; readonly mountRoot?: string };
}

/**
 * Runs, after the end of a run, the hooks that its own agent has not run. Those that are in the status as done are not run
 * again; one that was begun and not ended is: at least once.
 */
export async function runHooksTask(context: HooksContext): Promise<ActionOutcome> {
  const { task, client, status, reporter, log, signal, folders } = context;
  const { namespace, policy, run, schedule, method, type, phase, reason, error, hooks } = task;
  const knownPod = status?.hooks?.pod;
  const runner = createHookRunner({
    ...{ client, namespace, work: hooks, server: task.server, knownPod, leniently: true },
    ...{ access: folders?.access, mountRoot: folders?.mountRoot },
  });
  const before = status?.hooks ?? {};
  const done = new Set((before.results ?? []).filter(isDone).map(({ hook }) => hook));
  const waiting = comingAfter(hooks, phase).filter(({ name }) => task.outstanding.includes(name) && !done.has(name));
  const ledger = createLedger(reporter, before);
  await ledger.expect(waiting, phase);
  const names = { namespace, policy: policy.name, run: run.name, runUID: run.uid, schedule };
  const told = { ...names, method, type, phase, reason, error, status: status ?? {} };
  for (const one of waiting) {
    const pod = one.hook.exec === undefined ? undefined : runner.podName();
    ledger.begin(one, pod);
    const outcome = await runner.run(one, noticeOf(told, one.name), signal);
    await ledger.end(one, outcome);
    tell(log, one, outcome);
  }
  const failed = waiting.filter(({ name }) => ledger.resultOf(name)?.state === 'Failed');
  // What has failed has been run, and is told: there is nothing that another try of the Job would have to do.
  const words = failed.map(({ name }) => ` ${name} failed: ${ledger.resultOf(name)?.message ?? ''}`).join('');
  return { reason: 'HooksRan', message: `${waiting.length} hooks were run.${words}` };
}
