import type { BackupRunStatus } from '../../api/backup-run.ts';
import { type Failure, terminal, transient } from '../../domain/failure.ts';
import { comingAfter, hasCommands, type NamedHook, named } from '../../domain/hooks/name.ts';
import { noticeOf, type Told } from '../../domain/hooks/notice.ts';
import type { BackupTask } from '../../domain/task.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import type { Reporter } from '../report.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { HookOutcome } from './outcome.ts';
import { createHookRunner, type HookRunner, type HookSurroundings } from './run-hook.ts';

export interface HookedBackup extends ActionContext<BackupTask> {
  readonly run: { readonly name: string; readonly uid?: string | undefined };
  readonly client: HookSurroundings['client'];
  readonly folders?: { readonly access?: HookSurroundings['access']; readonly mountRoot?: string };
}

/**
 * A backup with the hooks of its policy: those before it are run first, in each attempt, and may forbid it; those after it
 * when its success is told (ActionOutcome.afterwards). What comes after a failure is not for an attempt, which does not
 * know whether another follows: the operator has it run when the run has ended.
 */
export async function withHooks(
  context: HookedBackup,
  backUp: (reporter: Reporter) => Promise<ActionOutcome>,
): Promise<ActionOutcome> {
  const { task, reporter, folders } = context;
  if (task.hooks === undefined) return await backUp(reporter);
  const facts: Record<string, unknown> = { startTime: new Date().toISOString() };
  const runner = createHookRunner({
    client: context.client,
    namespace: task.namespace,
    work: task.hooks,
    server: task.server,
    knownPod: undefined,
    leniently: false,
    access: folders?.access,
    mountRoot: folders?.mountRoot,
  });
  const ledger = createLedger(reporter);
  const work: Work = { context, hooks: task.hooks, runner, ledger, facts };
  await runBefore(work);
  const outcome = await backUp(remembering(reporter, facts));
  return { ...outcome, afterwards: () => runAfter(work, outcome) };
}

interface Work {
  readonly context: HookedBackup;
  readonly hooks: NonNullable<BackupTask['hooks']>;
  readonly runner: HookRunner;
  readonly ledger: Ledger;
  /** What the backup has told of itself. */
  readonly facts: Readonly<Record<string, unknown>>;
}

async function runBefore(work: Work): Promise<void> {
  const { context, hooks, runner, ledger } = work;
  const { log, signal, reporter } = context;
  const before = named(hooks, 'preBackup');
  await requirePod(work);
  if (before.length > 0) await ledger.expect(before);
  for (const one of before) {
    reporter.progress({ step: `hook ${one.name}` });
    ledger.begin(one, one.hook.exec === undefined ? undefined : runner.podName());
    const outcome = await runner.run(one, noticeFor(work, one, { phase: 'Running', reason: 'Starting' }), signal);
    await ledger.end(one, outcome);
    tell(log, one, outcome);
    if (outcome.state === 'Failed' && one.hook.onError === 'Fail') throw forbidden(one, outcome);
  }
}

/** Where commands are to be run and may not be, nothing is begun: what a hook has stopped, another has to start again. */
async function requirePod({ context, hooks, runner }: Work): Promise<void> {
  if (!hasCommands(hooks)) return;
  try {
    await runner.pod(context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    const all = [...hooks.preBackup, ...hooks.postBackup];
    if (all.some(({ exec, onError }) => exec !== undefined && onError === 'Fail')) throw error;
    context.log.warn({ err: error }, 'the commands of hooks cannot be run; the backup goes on');
  }
}

function forbidden({ name }: NamedHook, { message, retryable }: HookOutcome): Failure {
  const fail = retryable ? transient : terminal;
  return fail(
    'PreBackupHookFailed',
    `The hook ${name} failed, and its onError is Fail: ${message} The backup was not begun, and nothing was stored. Mend what it says; onError: Continue makes the backup nevertheless.`,
  );
}

/** Never rejects: the backup is stored, whatever becomes of this. What is not done is left to the operator. */
async function runAfter(work: Work, { reason }: ActionOutcome): Promise<void> {
  const { context, hooks, runner, ledger } = work;
  const { log, signal } = context;
  const after = comingAfter(hooks, 'Completed');
  const known: Record<string, unknown> = { ...work.facts, completionTime: new Date().toISOString() };
  try {
    await ledger.expect(after, 'Completed');
    for (const one of after) {
      signal.throwIfAborted();
      ledger.begin(one, one.hook.exec === undefined ? undefined : runner.podName());
      const notice = noticeFor({ ...work, facts: known }, one, { phase: 'Completed', reason });
      const outcome = await runner.run(one, notice, signal);
      await ledger.end(one, outcome);
      tell(log, one, outcome);
    }
  } catch (error) {
    log.warn({ err: error }, 'the rest of the hooks are left to a Job of their own');
  }
}

function noticeFor(
  { context: { task, run }, facts }: Work,
  { name }: NamedHook,
  { phase, reason }: Pick<Told, 'phase' | 'reason'>,
) {
  const { namespace, policy, schedule, method, type } = task;
  const status = facts as Pick<BackupRunStatus, 'backupID' | 'size' | 'startTime' | 'completionTime' | 'type'>;
  const names = { namespace, policy: policy.name, run: run.name, runUID: run.uid, schedule };
  return noticeOf({ ...names, method, type, phase, reason, error: '', status }, name);
}

export function tell(log: HookedBackup['log'], { name, hook }: NamedHook, { state, message }: HookOutcome): void {
  if (state === 'Succeeded') log.info({ hook: name }, 'the hook succeeded');
  else log.warn({ hook: name, onError: hook.onError }, message);
}

function remembering(reporter: Reporter, facts: Record<string, unknown>): Reporter {
  return {
    ...reporter,
    facts: async (more) => {
      Object.assign(facts, more);
      await reporter.facts(more);
    },
  };
}
