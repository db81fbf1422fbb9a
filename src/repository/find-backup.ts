import { terminal } from '../domain/failure.ts';
import { type BackupLocation, backupPath, backupsPath, manifestName } from '../domain/layout.ts';
import type { Store } from './store.ts';

export interface FoundBackup {
  readonly location: BackupLocation;
  /** Whether it has a manifest: without one it is an attempt that runs or died. */
  readonly complete: boolean;
}

/**
 * The complete backup of an ID, wherever these namespaces have it in the repository; BackupNotFound where there is none,
 * and AmbiguousBackup where two policies made one in the same second (the message names their paths).
 */
export async function findBackup(
  store: Store,
  backupID: string,
  signal: AbortSignal,
  namespaces: readonly string[],
): Promise<BackupLocation> {
  const found: BackupLocation[] = [];
  let systems = 0;
  for (const namespace of namespaces) {
    for await (const system of listSystems(store, signal, { namespace })) {
      systems += 1;
      const location = { ...system, backupID };
      if (await isComplete(store, location, signal)) found.push(location);
    }
  }
  const [location, ...others] = found;
  if (location === undefined) {
    throw terminal(
      'BackupNotFound',
      `There is no complete backup ${backupID} in ${store.description} (looked under ${systems} servers of ${namespaces.join(', ')}). List the backups there and choose one of them; those of another namespace are read where the BackupRepository names it in spec.catalogue.namespaces.`,
    );
  }
  if (others.length > 0) {
    throw terminal(
      'AmbiguousBackup',
      `${store.description} holds ${found.length} backups ${backupID}: ${found.map(backupPath).join(', ')}. Name the BackupRun of the one you mean instead.`,
    );
  }
  return location;
}

/** Every backup's folder in the repository, or in one namespace or one policy of it, complete or not. */
export async function* listBackups(
  store: Store,
  signal: AbortSignal,
  scope: { readonly namespace?: string; readonly policy?: string } = {},
): AsyncIterable<FoundBackup> {
  for await (const system of listSystems(store, signal, scope)) {
    for await (const backupID of store.listFolders(`${backupsPath(system)}/`, { signal })) {
      const location = { ...system, backupID };
      yield { location, complete: await isComplete(store, location, signal) };
    }
  }
}

async function* listSystems(
  store: Store,
  signal: AbortSignal,
  scope: { readonly namespace?: string; readonly policy?: string } = {},
): AsyncIterable<Omit<BackupLocation, 'backupID'>> {
  const namespaces = scope.namespace === undefined ? store.listFolders('', { signal }) : [scope.namespace];
  for await (const namespace of namespaces) {
    const policies = scope.policy === undefined ? store.listFolders(`${namespace}/`, { signal }) : [scope.policy];
    for await (const policy of policies) {
      for await (const systemIdentifier of store.listFolders(`${namespace}/${policy}/`, { signal })) {
        yield { namespace, policy, systemIdentifier };
      }
    }
  }
}

async function isComplete(store: Store, location: BackupLocation, signal: AbortSignal): Promise<boolean> {
  return (await store.head(`${backupPath(location)}/${manifestName}`, { signal })) !== undefined;
}
