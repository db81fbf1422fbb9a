import { Failure, terminal } from '../../domain/failure.ts';
import { backupPath, backupsPath, type WalLocation } from '../../domain/layout.ts';
import { type RepositoryBackup, repositoryBackup } from '../../domain/retention/repository-backup.ts';
import type { ServerWal, TimelineWal } from '../../domain/retention/server-wal.ts';
import type { ExpireTask } from '../../domain/task.ts';
import { readManifest } from '../../repository/backups.ts';
import { isHeld } from '../../repository/holds.ts';
import type { Store } from '../../repository/store.ts';
import { isBad } from '../../repository/verdicts.ts';
import { openWalArchive } from '../../repository/wal-archive.ts';
import { inParallel } from '../in-parallel.ts';
import { listWal } from './list-wal.ts';

/** All that a policy has in one repository, in so far as retention depends on it. */
export interface ReadRepository {
  readonly name: string;
  readonly store: Store;
  readonly backups: readonly RepositoryBackup[];
  readonly wals: readonly ServerWal[];
}

const width = 8;

/** What cannot be read, or is not known, ends it: in doubt nothing is deleted. */
export async function readRepository(
  store: Store,
  name: string,
  { namespace, policy, held, failed = [] }: Pick<ExpireTask, 'namespace' | 'policy' | 'held' | 'failed'>,
  signal: AbortSignal,
): Promise<ReadRepository> {
  const systems: string[] = [];
  const root = `${namespace}/${policy.name}`;
  for await (const system of store.listFolders(`${root}/`, { signal })) systems.push(system);
  const stranger = systems.find((system) => !/^[0-9]{1,20}$/.test(system));
  if (stranger !== undefined) throw unknown(`${root}/${stranger}/`, store);
  const read: { readonly backups: readonly RepositoryBackup[]; readonly wal: ServerWal }[] = [];
  for (const systemIdentifier of systems) {
    const location = { namespace, policy: policy.name, systemIdentifier };
    const backups = await readBackups(store, location, { held: new Set(held), failed: new Set(failed) }, signal);
    const archive = openWalArchive(store, location);
    const timelines = await archive.timelines({ signal });
    const newest = await inParallel(timelines, width, async (timeline) => {
      // The present timeline of the only server is the long one, and live whatever its files say.
      if (systems.length === 1 && timeline === timelines.at(-1)) return [timeline, { newest: undefined }] as const;
      return [timeline, await newestOf(store, location, timeline, signal)] as const;
    });
    const histories = await archive.histories({ signal });
    read.push({
      backups: backups.complete,
      wal: { systemIdentifier, timelines: new Map(newest), histories, unfinishedBackups: backups.unfinished },
    });
  }
  return { name, store, backups: read.flatMap(({ backups }) => backups), wals: read.map(({ wal }) => wal) };
}

interface Marked {
  readonly held: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
}

async function readBackups(store: Store, location: WalLocation, { held, failed }: Marked, signal: AbortSignal) {
  const ids: string[] = [];
  for await (const backupID of store.listFolders(`${backupsPath(location)}/`, { signal })) ids.push(backupID);
  const read = await inParallel(ids, width, async (backupID) => {
    const path = backupPath({ ...location, backupID });
    const manifest = await readOrDoubt(store, path, signal);
    if (manifest === undefined) return undefined;
    const isKept = held.has(backupID) || (await isHeld(store, path, signal));
    const isFailed = failed.has(backupID) || (await isBad(store, path, signal));
    const backup = repositoryBackup(manifest, path, isKept, isFailed);
    if (backup.backupID === backupID && backup.systemIdentifier === location.systemIdentifier) return backup;
    throw terminal(
      'UnreadableManifest',
      `The manifest in ${path} of ${store.description} is that of backup ${backup.backupID} of the server ${backup.systemIdentifier}: somebody has moved it. Nothing was deleted. Move the folder to where it belongs.`,
    );
  });
  return { complete: read.filter((each) => each !== undefined), unfinished: read.includes(undefined) };
}

/** undefined where there is no manifest, and so no backup yet or not any more. */
async function readOrDoubt(store: Store, path: string, signal: AbortSignal) {
  try {
    return (await readManifest(store, path, { signal })).manifest;
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable) throw error;
    if (error.reason === 'BackupNotFound') return undefined;
    if (error.reason !== 'DamagedManifest' && error.reason !== 'UnknownFormat') throw error;
    throw terminal(
      'UnreadableManifest',
      `A manifest cannot be read, so nobody can tell what its backup needs. Nothing was deleted. ${error.message} If the backup is lost anyway, remove its folder by hand.`,
      error,
    );
  }
}

async function newestOf(
  store: Store,
  location: WalLocation,
  timeline: number,
  signal: AbortSignal,
): Promise<TimelineWal> {
  let newest = new Date(0);
  for await (const { time } of listWal(store, location, timeline, signal)) if (time > newest) newest = time;
  return { newest };
}

/** `stays`: what is not deleted for it, as a sentence. */
export function unknown(key: string, store: Store, stays = 'Nothing was deleted'): Failure {
  return terminal(
    'UnknownObject',
    `${key} in ${store.description} is nothing that Tidemark writes there, so it may be somebody's who would miss it. ${stays}. Move it away.`,
  );
}
