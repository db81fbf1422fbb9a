import { z } from 'zod';
import { Failure, terminal } from '../domain/failure.ts';
import { backupPath, backupsPath, manifestName, parseBackupPath } from '../domain/layout.ts';
import type { DeleteTask } from '../domain/task.ts';
import { removeBackup } from '../repository/backups.ts';
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
async function refuseWithIncrements(store: Store, path: string, signal: AbortSignal): Promise<void> {
  const location = parseBackupPath(path);
  // What has no manifest is no backup, and nothing stands on it.
  if (location === undefined || /-logical(-\d+)?$/.test(location.backupID)) return;
  if ((await store.head(`${path}/${manifestName}`, { signal })) === undefined) return;
  const children: string[] = [];
  for await (const backupID of store.listFolders(`${backupsPath(location)}/`, { signal })) {
    if (!/-physical-(incremental|differential)(-\d+)?$/.test(backupID) || backupID === location.backupID) continue;
    const parent = await parentOf(store, backupPath({ ...location, backupID }), signal);
    if (parent === location.backupID) children.push(backupID);
    if (children.length > namedChildren) break;
  }
  if (children.length === 0) return;
  throw terminal(
    'BackupNeeded',
    `The increments ${children.slice(0, namedChildren).join(', ')}${children.length > namedChildren ? ' and others' : ''} stand on it in ${store.description}, and could not be restored without it. Delete those first.`,
  );
}

/** undefined for one that is no backup, or not any more; what cannot be read may stand on anything. */
async function parentOf(store: Store, path: string, signal: AbortSignal): Promise<string | undefined> {
  const key = `${path}/${manifestName}`;
  if ((await store.head(key, { signal })) === undefined) return undefined;
  const { success, data } = ofParent.safeParse(parsed(await store.get(key, { signal })));
  if (success) return data.parentBackupID;
  throw terminal(
    'UnreadableManifest',
    `${key} in ${store.description} cannot be read, so nobody can tell which backup it stands on. Bring it back from a copy of the repository, or remove its folder if it is lost anyway.`,
  );
}

/** Of a manifest of any version. */
const ofParent = z.object({ parentBackupID: z.string().optional() });

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
