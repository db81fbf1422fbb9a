import type { BackupRunStatus } from '../../api/backup-run.ts';
import { comingAfter } from '../../domain/hooks/name.ts';
import type { HooksTask, Task } from '../../domain/task.ts';

interface Run {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly status?: BackupRunStatus | undefined;
}

/**
 * What is left to an attempt that follows one which has told of a stored backup and was killed at its hooks: those hooks,
 * and not a second backup.
 */
export function restAfterSuccess(task: Task, { name, uid, status }: Run): HooksTask | undefined {
  if (task.action !== 'backup' || task.hooks === undefined || uid === undefined) return undefined;
  if (status?.report?.outcome !== 'Succeeded') return undefined;
  const { namespace, policy, schedule, method, type, server, hooks } = task;
  return {
    action: 'hooks',
    ...{ namespace, policy, method, type, server, hooks, phase: 'Completed', error: '' },
    ...(schedule === undefined ? {} : { schedule }),
    run: { name, uid },
    reason: status.report.reason,
    outstanding: comingAfter(hooks, 'Completed').map((hook) => hook.name),
  };
}
