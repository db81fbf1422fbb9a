import { z } from 'zod';
import { Failure, terminal } from '../domain/failure.ts';
import {
  agentEnvironment,
  agentExit,
  type BackupTask,
  type CopyTask,
  type ExpireTask,
  type HooksTask,
  type SyncTask,
  type Task,
  task as taskSchema,
  type WatchWalTask,
} from '../domain/task.ts';
import type { ActionContext, ActionOutcome } from './action.ts';
import { runArchive } from './archive/run-archive.ts';
import { runBackup } from './backup/run-backup.ts';
import { catalogueCluster } from './catalogue/cluster.ts';
import { runSync } from './catalogue/run-sync.ts';
import { runCopy } from './copy/run-copy.ts';
import { runDelete } from './delete.ts';
import { isDistrusted } from './distrusted.ts';
import { retentionCluster } from './expire/cluster.ts';
import { runExpire } from './expire/run-expire.ts';
import { findRun, readRun } from './find-run.ts';
import { restAfterSuccess } from './hooks/rest-after-success.ts';
import type { HookClient } from './hooks/run-hook.ts';
import { runHooksTask } from './hooks/run-hooks-task.ts';
import { withHooks } from './hooks/with-hooks.ts';
import type { AgentLog } from './log.ts';
import { ownObject, type ReportingTask, writeStatus } from './own-object.ts';
import { runPhysicalBackup } from './physical/run-physical-backup.ts';
import { runProbe } from './probe.ts';
import { runPlanRecovery } from './recover/plan/run-plan.ts';
import { runRecover } from './recover/run/run-recover.ts';
import { createReporter } from './report.ts';
import { exitCodeOf, reportOf } from './report-of.ts';
import { runEphemeralRestore } from './restore/ephemeral/run-ephemeral.ts';
import { runRestore } from './restore/run-restore.ts';
import { runStateOf } from './run-state.ts';
import { tellingVerdict } from './verify/tell-verdict.ts';
import { rememberedWal } from './watch-wal/remember.ts';
import { runWatchWal } from './watch-wal/run-watch.ts';

export interface AgentOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly connect: () => Promise<HookClient>;
  readonly log: AgentLog;
  /** Aborts with a Failure: cancelled() when the pod is to stop. */
  readonly signal: AbortSignal;
  readonly terminationMessage?: string;
}

/** Does the one task that the environment holds, reports it, and gives the exit code (domain/task.ts). */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { environment, log, signal } = options;
  const startTime = new Date();
  const asked = parseTask(environment[agentEnvironment.task]);
  if (asked instanceof Failure) {
    log.error({ reason: asked.reason }, asked.message);
    return agentExit.terminal;
  }
  const pod = environment[agentEnvironment.podName];
  const client = isAlone(asked) ? undefined : await connectOrGoOn(options);
  const run = await findRun(asked, environment, client, log, signal);
  const task = restAfterSuccess(asked, run) ?? asked;
  const own = isAlone(task) ? undefined : ownObject(task, run);
  const reporter = createReporter({
    apply: async (status, writing) => {
      if (client !== undefined && own !== undefined) await writeStatus(client, own, status, log, writing, run.record);
    },
    log,
    pod,
    startTime,
    ...(options.terminationMessage === undefined ? {} : { terminationMessage: options.terminationMessage }),
  });
  try {
    signal.throwIfAborted();
    const context = { reporter, log, signal };
    const { afterwards, ...outcome } = await act(task, context, {
      hooked: () => ({ run, client }),
      hooks: async ({ namespace, run: { name } }) => ({
        client,
        status: run.status ?? (await readRun(client, namespace, name, signal))?.status,
      }),
      backup: (backup) => ({
        attempt: {
          run: run.name,
          ...(run.uid === undefined ? {} : { runUID: run.uid }),
          jobName: run.jobName,
          pod: pod ?? '',
        },
        runState: (started) => runStateOf(client, backup.namespace, started, signal),
        isDistrusted: (made) => isDistrusted(client, backup.namespace, made, signal),
      }),
      watch: (watch) => ({ remembered: () => rememberedWal(client, watch, signal) }),
      copy: (copy) => ({
        claim: {
          jobName: run.jobName,
          pod: pod ?? '',
          runState: (started) => runStateOf(client, copy.namespace, started, signal),
        },
      }),
      expire: (expire) => ({ cluster: retentionCluster(client, expire, signal), jobName: run.jobName }),
      sync: (sync) => ({ cluster: catalogueCluster(client, sync.namespace, signal) }),
    });
    log.info({ reason: outcome.reason }, outcome.message);
    const said = { outcome: 'Succeeded', reason: outcome.reason, message: outcome.message } as const;
    await reporter.finish(said);
    if (afterwards !== undefined) {
      await afterwards();
      // Once more, with what was done since: where the API server is away, the last words are all there is.
      await reporter.finish(said);
    }
    return agentExit.succeeded;
  } catch (error) {
    const report = reportOf(error);
    log.error({ reason: report.reason, err: error }, report.message);
    await reporter.finish(report);
    return exitCodeOf(report);
  } finally {
    await client?.close();
  }
}

/** What a person started by hand has no object to report to, and needs no account that may. */
function isAlone(task: Task): task is Exclude<Task, ReportingTask> {
  return task.action === 'archive' || (task.action === 'copy' && task.run === undefined);
}

interface Special {
  readonly hooked: () => Pick<Parameters<typeof withHooks>[0], 'run' | 'client'>;
  readonly hooks: (task: HooksTask) => Promise<Pick<Parameters<typeof runHooksTask>[0], 'client' | 'status'>>;
  readonly backup: (task: BackupTask) => Pick<Parameters<typeof runBackup>[0], 'attempt' | 'runState' | 'isDistrusted'>;
  readonly watch: (task: WatchWalTask) => Pick<Parameters<typeof runWatchWal>[0], 'remembered'>;
  readonly copy: (task: CopyTask) => Pick<Parameters<typeof runCopy>[0], 'claim'>;
  readonly expire: (task: ExpireTask) => Pick<Parameters<typeof runExpire>[0], 'cluster' | 'jobName'>;
  readonly sync: (task: SyncTask) => Pick<Parameters<typeof runSync>[0], 'cluster'>;
}

async function act(task: Task, context: Omit<ActionContext<Task>, 'task'>, special: Special): Promise<ActionOutcome> {
  switch (task.action) {
    case 'backup':
      return withHooks({ ...context, task, ...special.hooked() }, (reporter) => {
        const backup = { ...context, reporter, task, ...special.backup(task) };
        return task.method === 'Physical' ? runPhysicalBackup(backup) : runBackup(backup);
      });
    case 'hooks':
      return runHooksTask({ ...context, task, ...(await special.hooks(task)) });
    case 'restore':
      return task.ephemeral === undefined
        ? runRestore({ ...context, task })
        : tellingVerdict(
            { ...context, task },
            { repository: task.repository, path: task.backup.path, by: task.request.name },
            (reporter) => runEphemeralRestore({ ...context, task, reporter }),
          );
    case 'probe':
      return runProbe({ ...context, task });
    case 'delete':
      return runDelete({ ...context, task });
    case 'copy':
      return runCopy({ ...context, task, ...special.copy(task) });
    case 'expire':
      return runExpire({ ...context, task, ...special.expire(task) });
    case 'sync-catalogue':
      return runSync({ ...context, task, ...special.sync(task) });
    case 'archive':
      return runArchive({ ...context, task });
    case 'watch-wal':
      return runWatchWal({ ...context, task, ...special.watch(task) });
    case 'plan-recovery':
      return runPlanRecovery({ ...context, task });
    case 'recover':
      return tellingVerdict(
        { ...context, task },
        { repository: task.source.repository, path: task.plan.backupPath, by: task.recovery.name },
        (reporter) => runRecover({ ...context, task, reporter }),
      );
  }
}

export function parseTask(text: string | undefined): Task | Failure {
  if (text === undefined || text === '') {
    return terminal(
      'NoTask',
      `The environment variable ${agentEnvironment.task} is not set: the agent runs in Jobs that the operator makes.`,
    );
  }
  try {
    const result = taskSchema.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    return terminal(
      'UnknownTask',
      `The task in ${agentEnvironment.task} cannot be read: ${z.prettifyError(result.error)}. Let operator and agent have the same version.`,
    );
  } catch (cause) {
    return terminal('UnknownTask', `The task in ${agentEnvironment.task} is not JSON.`, cause);
  }
}

/** The API server may be away, and the backup is made all the same. */
async function connectOrGoOn({ connect, log }: AgentOptions): Promise<HookClient | undefined> {
  try {
    return await connect();
  } catch (error) {
    log.warn({ err: error }, 'no way to the API server; going on without reporting');
    return undefined;
  }
}
