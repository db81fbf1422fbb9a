import { Failure, terminal } from '../../../domain/failure.ts';
import { backupPath, type WalLocation } from '../../../domain/layout.ts';
import type { PhysicalManifest } from '../../../domain/manifest.ts';
import { objectsOf } from '../../../domain/manifest-objects.ts';
import { readManifest } from '../../../repository/backups.ts';
import type { Store } from '../../../repository/store.ts';

/** One backup of a chain. */
export interface ChainMember {
  readonly manifest: PhysicalManifest;
  /** Its folder under the repository's prefix. */
  readonly path: string;
  /** Digest of its manifest. */
  readonly checksum: string;
}

/** Whether a backup cannot be restored from a repository, because it or what it stands on is not there as it was. */
export function isBroken(error: unknown): error is Failure {
  return error instanceof Failure && (error.reason === 'ChainBroken' || error.reason === 'CorruptedBackup');
}

/**
 * What an increment stands on, the full backup first; nothing for a full one. Every manifest is the one that the backup
 * after it was made on, and every object that one of them names, the backup's own too, lies there in its size: ChainBroken
 * or, of a full backup, CorruptedBackup where not. What is in the objects is checked when they are laid, before any are combined.
 */
export async function readParents(
  store: Store,
  location: WalLocation,
  backup: Omit<ChainMember, 'checksum'>,
  signal: AbortSignal,
): Promise<readonly ChainMember[]> {
  const { backupID, type } = backup.manifest;
  const lacking = await lackingObject(store, backup, signal);
  if (lacking !== undefined) throw type === 'Full' ? damaged(backupID, lacking) : broken(backupID, lacking);
  const parents: ChainMember[] = [];
  for (let child = backup.manifest; child.type !== 'Full'; ) {
    const parent = await readParent(store, location, child, backupID, signal);
    const gone = await lackingObject(store, parent, signal);
    if (gone !== undefined) throw broken(backupID, gone);
    parents.unshift(parent);
    if (parents.length > longest) throw broken(backupID, `its chain does not end after ${longest} backups.`);
    child = parent.manifest;
  }
  return parents;
}

/** No schedule comes near it; a ring of parents does. */
const longest = 1000;

async function readParent(
  store: Store,
  location: WalLocation,
  child: PhysicalManifest,
  backupID: string,
  signal: AbortSignal,
): Promise<ChainMember> {
  const { parentBackupID = '', parentChecksum } = child;
  const path = backupPath({ ...location, backupID: parentBackupID });
  try {
    const { manifest, sha256 } = await readManifest(store, path, { signal, expectedSha256: parentChecksum });
    if (manifest.method === 'Physical') return { manifest, path, checksum: sha256 };
    throw terminal('WrongMethod', `${path} is no physical backup.`);
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable) throw error;
    throw broken(backupID, `${child.backupID} is the difference to ${parentBackupID}. ${error.message}`, error);
  }
}

/** A sentence about the first object that is not there in its size. */
async function lackingObject(
  store: Store,
  { manifest, path }: Omit<ChainMember, 'checksum'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(`${path}/`, { signal })) sizes.set(key, size);
  for (const object of objectsOf(manifest)) {
    const key = `${path}/${object.path}`;
    const found = sizes.get(key);
    if (found === undefined) return `${key} in ${store.description} is gone.`;
    if (found !== object.size) return `${key} in ${store.description} has ${found} bytes instead of ${object.size}.`;
  }
  return undefined;
}

function damaged(backupID: string, why: string): Failure {
  return terminal(
    'CorruptedBackup',
    `Backup ${backupID} is damaged: ${why} Nothing was touched. Recover from another backup (recoveryTarget.backupID) or another repository, or bring back what is missing from a copy of the repository.`,
  );
}

function broken(backupID: string, why: string, cause?: unknown): Failure {
  return terminal(
    'ChainBroken',
    `Backup ${backupID} cannot be restored from here, because what it stands on is not as it was: ${why} Nothing was touched. Recover from another backup (recoveryTarget.backupID) or another repository, or bring back what is missing from a copy of the repository.`,
    cause,
  );
}
