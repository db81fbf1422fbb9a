import { Failure } from '../domain/failure.ts';
import { backupPath, backupsPath, parseBackupPath } from '../domain/layout.ts';
import { readManifest } from './backups.ts';
import type { Store } from './store.ts';

/**
 * The IDs of the increments that are the difference to a backup, and would be nothing without it. `path` is its folder. One
 * whose manifest cannot be read rejects: nobody knows what it stands on.
 */
export async function childrenOf(store: Store, path: string, signal: AbortSignal): Promise<readonly string[]> {
  const location = parseBackupPath(path);
  if (location === undefined) return [];
  const children: string[] = [];
  for await (const backupID of store.listFolders(`${backupsPath(location)}/`, { signal })) {
    // IDs begin with the time, and say what a backup is.
    if (backupID <= location.backupID.slice(0, 16) || !/-(differential|incremental)(-\d+)?$/.test(backupID)) continue;
    const parent = await parentOf(store, backupPath({ ...location, backupID }), signal);
    if (parent === location.backupID) children.push(backupID);
  }
  return children;
}

/** undefined of one that has no manifest: it is no backup. */
async function parentOf(store: Store, path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { manifest } = await readManifest(store, path, { signal });
    return manifest.method === 'Physical' ? manifest.parentBackupID : undefined;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'BackupNotFound') return undefined;
    throw error;
  }
}
