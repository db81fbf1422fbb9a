import { Failure, terminal } from '../domain/failure.ts';
import type { DeleteTask } from '../domain/task.ts';
import { removeBackup } from '../repository/backups.ts';
import { childrenOf } from '../repository/children.ts';
import { openStore } from '../repository/open.ts';
import type { Store } from '../repository/store.ts';
import type { ActionContext, ActionOutcome } from './action.ts';

/** Removes one stored backup from every repository; one that is not there any more is removed. All are tried. */
export async function runDelete(
  { task, log, signal }: ActionContext<DeleteTask>,
  mountRoot = '',
): Promise<ActionOutcome> {
  const names = task.repositories.map(({ name }) => name);
  const failures: { readonly name: string; readonly failure: unknown }[] = [];
  for (const [index, repository] of task.repositories.entries()) {
    try {
      const store = await openStore(repository, index, { mountRoot });
      try {
        await requireChildless(store, task.backup, signal);
        await removeBackup(store, task.backup.path, signal);
      } finally {
        await store.close();
      }
      log.info({ repository: repository.name, path: task.backup.path }, 'removed the backup');
    } catch (failure) {
      signal.throwIfAborted();
      failures.push({ name: repository.name, failure });
    }
  }
  const [first] = failures;
  if (first === undefined) {
    return { reason: 'BackupRemoved', message: `${task.backup.backupID} was removed from ${names.join(', ')}.` };
  }
  if (!(first.failure instanceof Failure)) throw first.failure;
  const { reason, message, retryable } = first.failure;
  const which = failures.map(({ name }) => name).join(', ');
  throw new Failure(reason, `The backup ${task.backup.backupID} could not be removed from ${which}. ${message}`, {
    retryable,
    cause: first.failure,
  });
}

/** What was made on it could not be restored any more. */
async function requireChildless(
  store: Store,
  { backupID, path }: DeleteTask['backup'],
  signal: AbortSignal,
): Promise<void> {
  const children = await childrenOf(store, path, signal);
  if (children.length === 0) return;
  throw terminal(
    'BackupNeeded',
    `In ${store.description}, ${children.length === 1 ? 'the increment' : `${children.length} increments, such as`} ${children[0]} can be restored with ${backupID} alone. Nothing was removed. Delete what stands on it first, the newest first, or let retention do it.`,
  );
}
