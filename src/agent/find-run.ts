import { type BackupRun, backupRun } from '../api/kinds.ts';
import { agentEnvironment, type Task } from '../domain/task.ts';
import { read } from '../kube/objects.ts';
import type { HookClient } from './hooks/run-hook.ts';
import type { AgentLog } from './log.ts';
import { recordScheduledRun } from './own-object.ts';

export interface Run {
  readonly name: string;
  readonly jobName: string;
  readonly uid?: string | undefined;
  readonly status?: BackupRun['status'];
  /** Records the run anew, where it is a schedule's and somebody deleted it. */
  readonly record?: () => Promise<unknown>;
}

/** The BackupRun of a backup: the one that was made by hand, or the one of the scheduled Job, which has the Job's name. */
export async function findRun(
  task: Task,
  environment: NodeJS.ProcessEnv,
  client: HookClient | undefined,
  log: AgentLog,
  signal: AbortSignal,
): Promise<Run> {
  const jobName = environment[agentEnvironment.jobName] ?? '';
  const name = environment[agentEnvironment.runName] || jobName;
  if (task.action !== 'backup' || client === undefined) return { name, jobName };
  const within = () => AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
  try {
    if (task.schedule === undefined) {
      const found = await readRun(client, task.namespace, name, within());
      return { name, jobName, uid: found?.metadata.uid, status: found?.status };
    }
    const scheduled = { ...task, schedule: task.schedule };
    const record = () => recordScheduledRun(client, scheduled, jobName, AbortSignal.timeout(10_000));
    const found = await record().catch((error: unknown) => {
      log.warn({ err: error }, 'the run could not be recorded yet; the backup goes on');
      return undefined;
    });
    return { name: jobName, jobName, uid: found?.metadata.uid, status: found?.status, record };
  } catch (error) {
    log.warn({ err: error }, 'the run could not be read; the backup goes on');
    return { name, jobName };
  }
}

export async function readRun(
  client: HookClient | undefined,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<BackupRun | undefined> {
  if (client === undefined) return undefined;
  return await read<BackupRun>(client, backupRun.kind, namespace, name, signal);
}
