import { terminal } from '../../domain/failure.ts';
import { badName, databasePath, holdName, manifestName, startedName, verifiedName } from '../../domain/layout.ts';
import { objectsOf } from '../../domain/manifest-objects.ts';
import type { DueBackup } from '../../domain/retention/plan.ts';
import type { RepositoryBackup } from '../../domain/retention/repository-backup.ts';
import { readManifest, removeBackup } from '../../repository/backups.ts';
import { isHeld } from '../../repository/holds.ts';
import type { Store } from '../../repository/store.ts';
import type { RetentionCluster } from './cluster.ts';
import { isLockRefusal, type Lock, lockAmong } from './locked.ts';
import { unknown } from './read-repository.ts';

/** What became of a backup whose time has come. */
export type Fate =
  | { readonly state: 'Deleted' }
  | { readonly state: 'Locked'; readonly lock: Lock }
  | { readonly state: 'Held' }
  /** An increment that stands on it is still there. */
  | { readonly state: 'Needed' }
  | { readonly state: 'Failed'; readonly failure: unknown };

interface Surroundings {
  readonly store: Store;
  readonly cluster: Pick<RetentionCluster, 'isHeld'>;
  /** Those that are there, this one too. */
  readonly standing: readonly RepositoryBackup[];
  readonly signal: AbortSignal;
}

/**
 * Deletes one backup, the manifest first: whatever stops it then, what is left is no backup, and the next backup's sweep
 * takes it. Looks once more before: at the hold, the increments, the newer backup, the lock and what lies there.
 */
export async function deleteBackup({ backup }: DueBackup, surroundings: Surroundings): Promise<Fate> {
  const { store, cluster, standing, signal } = surroundings;
  if (standing.some((other) => isChild(other, backup))) return { state: 'Needed' };
  if (await cluster.isHeld(backup)) return { state: 'Held' };
  // A hold of another cluster, or of one that is lost: this one may know nothing of it yet.
  if (await isHeld(store, backup.path, signal)) return { state: 'Held' };
  await requireNewer(backup, surroundings);
  try {
    const keys = await knownKeys(store, backup, signal);
    const lock = await lockAmong(store, keys, signal);
    if (lock !== undefined) return { state: 'Locked', lock };
    await removeBackup(store, backup.path, signal);
    return { state: 'Deleted' };
  } catch (failure) {
    signal.throwIfAborted();
    if (isLockRefusal(failure)) return { state: 'Locked', lock: { until: undefined } };
    return { state: 'Failed', failure };
  }
}

function isChild(other: RepositoryBackup, { backupID, systemIdentifier }: RepositoryBackup): boolean {
  return other.parent === backupID && other.systemIdentifier === systemIdentifier;
}

/** The listing is minutes old, and somebody else may have deleted meanwhile. */
async function requireNewer(backup: RepositoryBackup, { store, standing, signal }: Surroundings): Promise<void> {
  const newest = standing
    .filter(({ method, complete }) => method === backup.method && complete)
    .reduce((one, other) => (other.completionTime > one.completionTime ? other : one), backup);
  const isThere = newest !== backup && (await isStored(store, newest, signal));
  if (isThere) return;
  throw terminal(
    'NewestGone',
    `The newest ${backup.method} backup ${newest.backupID} is not in ${store.description} any more, so ${backup.backupID} may be the best that there is. Nothing more was deleted. Find out who deletes there, and make a new backup.`,
  );
}

async function isStored(store: Store, { path }: RepositoryBackup, signal: AbortSignal): Promise<boolean> {
  return (await store.head(`${path}/${manifestName}`, { signal })) !== undefined;
}

const beside = [manifestName, startedName, holdName, verifiedName, badName];

/** All that lies in the folder: only what the manifest names, and what a database that failed has left. */
async function knownKeys(store: Store, { path }: RepositoryBackup, signal: AbortSignal): Promise<readonly string[]> {
  const { manifest } = await readManifest(store, path, { signal });
  const known = new Set([...beside, ...objectsOf(manifest).map((object) => object.path)]);
  const failed = manifest.method === 'Logical' ? (manifest.logical.failed ?? []) : [];
  const folders = failed.map(({ name }) => `${databasePath(name)}/`);
  const keys: string[] = [];
  for await (const { key } of store.list(`${path}/`, { signal })) {
    const name = key.slice(path.length + 1);
    if (!known.has(name) && !folders.some((folder) => name.startsWith(folder)))
      throw unknown(key, store, 'This backup stays, and so does all WAL');
    keys.push(key);
  }
  return keys;
}
