import { type BackupLocation, backupPath, manifestName } from '../domain/layout.ts';
import type { OrphanCandidate } from '../domain/orphan.ts';
import { readStarted, removeBackup } from './backups.ts';
import { listBackups } from './find-backup.ts';
import type { Store } from './store.ts';

export interface FoundOrphan extends OrphanCandidate {
  readonly location: BackupLocation;
}

/**
 * Removes the folders of one policy that have no manifest and that `decide` calls orphans (domain/orphan.ts is the
 * rule; `decide` finds out what became of the run). Returns the paths removed.
 */
export async function sweepOrphans(
  store: Store,
  { namespace, policy }: { readonly namespace: string; readonly policy: string },
  decide: (candidate: FoundOrphan) => boolean | Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for await (const { location, complete } of listBackups(store, signal, { namespace, policy })) {
    if (complete) continue;
    const path = backupPath(location);
    const started = await readStarted(store, path, signal);
    const newestObject = await findNewest(store, path, signal);
    if (!(await decide({ location, started, newestObject }))) continue;
    // It may have been completed since it was listed.
    if ((await store.head(`${path}/${manifestName}`, { signal })) !== undefined) continue;
    await removeBackup(store, path, signal);
    removed.push(path);
  }
  return removed;
}

async function findNewest(store: Store, path: string, signal: AbortSignal): Promise<Date | undefined> {
  let newest: Date | undefined;
  for await (const { lastModified } of store.list(`${path}/`, { signal })) {
    if (newest === undefined || lastModified > newest) newest = lastModified;
  }
  return newest;
}
