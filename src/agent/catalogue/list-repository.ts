import type { ListedBackup } from '../../domain/catalogue/compare.ts';
import { backupsPath, badName, holdName, manifestName, startedName, verifiedName } from '../../domain/layout.ts';
import type { SyncTask } from '../../domain/task.ts';
import type { Store } from '../../repository/store.ts';
import { Strangers } from './strangers.ts';

export interface Listing {
  /** By path. */
  readonly backups: ReadonlyMap<string, ListedBackup>;
  /** Folders without a manifest; 0 where nobody looked. */
  readonly unfinished: number;
  readonly strangers: Strangers;
  /** Objects that were listed. */
  readonly objects: number;
}

interface System {
  readonly namespace: string;
  readonly policy: string;
  readonly systemIdentifier: string;
}

/**
 * What the repository has of some namespaces: the folders of the backups, or, deep, every object of them. Memory grows
 * with the number of backups, not of objects. The WAL is never listed.
 */
export async function listRepository(
  store: Store,
  { namespaces, depth }: Pick<SyncTask, 'namespaces' | 'depth'>,
  signal: AbortSignal,
): Promise<Listing> {
  const backups = new Map<string, ListedBackup>();
  const strangers = new Strangers();
  const counts = { unfinished: 0, objects: 0 };
  for await (const system of listSystems(store, namespaces, strangers, signal)) {
    const listed = depth === 'Deep' ? listDeep(store, system, strangers, signal) : listFolders(store, system, signal);
    for await (const { objects, ...backup } of listed) {
      backups.set(backup.path, backup);
      counts.objects += objects;
      if (backup.manifestTime === null) counts.unfinished += 1;
    }
  }
  return { backups, strangers, ...counts };
}

async function* listSystems(
  store: Store,
  namespaces: readonly string[],
  strangers: Strangers,
  signal: AbortSignal,
): AsyncGenerator<System, void, void> {
  for (const namespace of namespaces) {
    for await (const policy of store.listFolders(`${namespace}/`, { signal })) {
      for await (const systemIdentifier of store.listFolders(`${namespace}/${policy}/`, { signal })) {
        const folder = `${namespace}/${policy}/${systemIdentifier}`;
        if (!/^[0-9]{1,20}$/.test(systemIdentifier)) {
          strangers.add(`${folder}/`);
          continue;
        }
        for await (const part of store.listFolders(`${folder}/`, { signal }))
          if (part !== 'backups' && part !== 'wal') strangers.add(`${folder}/${part}/`);
        yield { namespace, policy, systemIdentifier };
      }
    }
  }
}

type Counted = ListedBackup & { readonly objects: number };

async function* listFolders(store: Store, system: System, signal: AbortSignal): AsyncGenerator<Counted, void, void> {
  const root = backupsPath(system);
  for await (const backupID of store.listFolders(`${root}/`, { signal })) yield folderOf(system, `${root}/${backupID}`);
}

/** The listing is in the order of the keys, so that a backup's objects come together. */
async function* listDeep(
  store: Store,
  system: System,
  strangers: Strangers,
  signal: AbortSignal,
): AsyncGenerator<Counted, void, void> {
  const root = backupsPath(system);
  let open: Found | undefined;
  for await (const { key, size, lastModified } of store.list(`${root}/`, { signal })) {
    const [backupID = '', name, ...rest] = key.slice(root.length + 1).split('/');
    if (name === undefined) {
      strangers.add(key);
      continue;
    }
    const path = `${root}/${backupID}`;
    if (open?.path !== path) {
      if (open !== undefined) yield* closed(open, strangers);
      open = { ...folderOf(system, path), manifestTime: null, held: false, isStarted: false };
    }
    open = withObject(open, { name, isFolder: rest.length > 0, size, lastModified });
    if (!isOurs(name, rest.length > 0)) strangers.add(key);
  }
  if (open !== undefined) yield* closed(open, strangers);
}

type Found = Counted & { readonly isStarted: boolean };

function folderOf({ namespace, policy }: System, path: string): Counted {
  const backupID = path.slice(path.lastIndexOf('/') + 1);
  return { path, backupID, namespace, policy, manifestTime: undefined, held: undefined, bytes: 0, objects: 0 };
}

interface Part {
  readonly name: string;
  readonly isFolder: boolean;
  readonly size: number;
  readonly lastModified: Date;
}

function withObject(found: Found, { name, isFolder, size, lastModified }: Part): Found {
  return {
    ...found,
    bytes: found.bytes + size,
    objects: found.objects + 1,
    ...(!isFolder && name === manifestName ? { manifestTime: lastModified } : {}),
    ...(!isFolder && name === startedName ? { isStarted: true } : {}),
    ...(!isFolder && name === holdName ? { held: true } : {}),
  };
}

/** A folder with neither is none of a backup's. */
function* closed({ isStarted, ...backup }: Found, strangers: Strangers): Generator<Counted, void, void> {
  if (backup.manifestTime === null && !isStarted) strangers.add(`${backup.path}/`);
  else yield backup;
}

const beside: ReadonlySet<string> = new Set([manifestName, startedName, holdName, verifiedName, badName]);

/** What a backup's folder may hold (domain/layout.ts); what its manifest names is for retention to compare. */
function isOurs(name: string, isFolder: boolean): boolean {
  if (isFolder) return name === 'databases' || name === 'base' || name === 'wal';
  return beside.has(name) || name.startsWith('globals.sql');
}
