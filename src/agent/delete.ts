import { Failure, terminal } from '../domain/failure.ts';
import type { DeleteTask } from '../domain/task.ts';
import { removeBackup } from '../repository/backups.ts';
import { childrenOf } from '../repository/children.ts';
import { isHeld } from '../repository/holds.ts';
import { openStore } from '../repository/open.ts';
import type { Store } from '../repository/store.ts';
import type { ActionContext, ActionOutcome } from './action.ts';
import { isLockRefusal, lockAmong } from './expire/locked.ts';

/**
 * Removes one stored backup from every repository; one that is not there any more is removed. All are tried. What the
 * repository says must stay (a hold, an increment that stands on it, a lock) is a terminal failure, and nothing of the
 * backup goes there.
 */
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
        await removeIfFree(store, task.backup.path, signal);
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

async function removeIfFree(store: Store, path: string, signal: AbortSignal): Promise<void> {
  if (await isHeld(store, path, signal)) {
    throw terminal(
      'BackupHeld',
      `A BackupRun holds it: ${path}/hold.json in ${store.description} says so, of this cluster or of another one. Set hold: false there, and let its BackupRepository be synced.`,
    );
  }
  await refuseWithIncrements(store, path, signal);
  const keys: string[] = [];
  for await (const { key } of store.list(`${path}/`, { signal })) keys.push(key);
  const lock = await lockAmong(store, keys, signal);
  if (lock !== undefined) throw locked(store, lock.until);
  try {
    await removeBackup(store, path, signal);
  } catch (error) {
    throw isLockRefusal(error) ? locked(store, undefined, error) : error;
  }
}

function locked(store: Store, until: Date | undefined, cause?: unknown): Failure {
  const end = until === undefined ? 'until its lock is taken away' : `until ${until.toISOString()}`;
  return terminal(
    'BackupLocked',
    `${store.description} has locked its objects (object lock), and nobody may delete them ${end}. All of it is there still.`,
    cause,
  );
}

const namedChildren = 3;

/** Of the physical backups of this server that are no full ones: those that name it, and so would be lost with it. */
/** What was made on it could not be restored any more. */
async function refuseWithIncrements(store: Store, path: string, signal: AbortSignal): Promise<void> {
  const children = await childrenOf(store, path, signal);
  if (children.length === 0) return;
  const named = children.slice(0, namedChildren).join(', ');
  throw terminal(
    'BackupNeeded',
    `In ${store.description}, the increments ${named}${children.length > namedChildren ? ' and others' : ''} stand on it, and could not be restored without it. Nothing was removed. Delete what stands on it first, the newest first, or let retention do it.`,
  );
}
