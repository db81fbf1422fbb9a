import type { BackupRun } from '../../api/kinds.ts';
import { isNew, type KnownRun, type ListedBackup } from '../../domain/catalogue/compare.ts';
import {
  placeIn,
  runNames,
  runOfManifest,
  type StoredBackup,
  statusOfManifest,
} from '../../domain/catalogue/run-of-manifest.ts';
import { Failure } from '../../domain/failure.ts';
import { annotations } from '../../domain/labels.ts';
import { manifestName, parseBackupPath } from '../../domain/layout.ts';
import { ApiError } from '../../kube/api-error.ts';
import { readManifest } from '../../repository/backups.ts';
import { isHeld } from '../../repository/holds.ts';
import type { Store } from '../../repository/store.ts';
import { readVerdict } from '../../repository/verdicts.ts';
import type { CatalogueCluster } from './cluster.ts';

/**
 * What became of a backup that no BackupRun was known of. Present: there is one already, since it ended while this was
 * read, or another repository has told of it. Nothing: it has no manifest, or was made known once. Later: a run of its
 * name has not ended yet, and the next sync sees what it has made.
 */
export type Known = 'Made' | 'Present' | 'Nothing' | 'Later' | { readonly unreadable: string };

export interface Surroundings {
  readonly store: Store;
  readonly cluster: CatalogueCluster;
  readonly repository: string;
  readonly namespace: string;
  readonly knownUntil: Date | undefined;
  /** By the path of the backup, in whichever repository. */
  readonly byPath: ReadonlyMap<string, KnownRun>;
  /** That was created once, and must be described whatever its age. */
  readonly unwritten: ReadonlyMap<string, KnownRun>;
  readonly signal: AbortSignal;
}

/** Reads one manifest, and sees to it that a BackupRun stands for it. */
export async function makeKnown(listed: ListedBackup, surroundings: Surroundings): Promise<Known> {
  const { store, repository, namespace, unwritten, signal } = surroundings;
  const begun = unwritten.get(listed.path);
  if (begun === undefined && !(await hasNewManifest(listed, surroundings))) return 'Nothing';
  const read = await readOrSay(store, listed.path, signal);
  if (read === undefined) return 'Nothing';
  if ('unreadable' in read) return read;
  const backup: StoredBackup = {
    ...read,
    path: listed.path,
    held: listed.held ?? (await isHeld(store, listed.path, signal)),
    verdict: await readVerdict(store, listed.path, signal),
    repository,
    namespace,
  };
  const moved = movedFrom(backup);
  if (moved !== undefined) return { unreadable: moved };
  try {
    return begun === undefined
      ? await addOrCreate(backup, surroundings)
      : await describe(begun.name, backup, surroundings);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 422 && error.status !== 400)) throw error;
    return { unreadable: `${listed.path}: the API server does not take a BackupRun for it: ${error.message}` };
  }
}

/** Where only the folder was listed, the store is asked for the manifest. */
async function hasNewManifest(
  { path, manifestTime }: ListedBackup,
  { store, knownUntil, signal }: Surroundings,
): Promise<boolean> {
  if (manifestTime !== undefined) return manifestTime !== null;
  const key = `${path}/${manifestName}`;
  const found = await store.head(key, { signal });
  if (found === undefined) return false;
  if (knownUntil === undefined) return true;
  return isNew(found.lastModified ?? (await listedTime(store, path, signal)) ?? new Date(), knownUntil);
}

async function listedTime(store: Store, path: string, signal: AbortSignal): Promise<Date | undefined> {
  for await (const { key, lastModified } of store.list(`${path}/`, { signal }))
    if (key === `${path}/${manifestName}`) return lastModified;
  return undefined;
}

type Read = Pick<StoredBackup, 'manifest' | 'checksum'> | { readonly unreadable: string };

async function readOrSay(store: Store, path: string, signal: AbortSignal): Promise<Read | undefined> {
  try {
    const { manifest, sha256 } = await readManifest(store, path, { signal });
    return { manifest, checksum: sha256 };
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable) throw error;
    if (error.reason === 'BackupNotFound') return undefined;
    if (error.reason === 'DamagedManifest' || error.reason === 'UnknownFormat') return { unreadable: error.message };
    throw error;
  }
}

function movedFrom({ manifest, path }: StoredBackup): string | undefined {
  const place = parseBackupPath(path);
  const isAtHome =
    place?.backupID === manifest.backupID &&
    place.namespace === manifest.namespace &&
    place.policy === manifest.policy &&
    place.systemIdentifier === manifest.server.systemIdentifier;
  if (isAtHome) return undefined;
  return `${path}: its manifest is that of backup ${manifest.backupID} of ${manifest.namespace}/${manifest.policy}/${manifest.server.systemIdentifier}; move the folder to where it belongs`;
}

/** Another repository's copy of the same backup is one more place of its run, not another run. */
async function addOrCreate(backup: StoredBackup, surroundings: Surroundings): Promise<Known> {
  const { cluster, byPath } = surroundings;
  const copy = byPath.get(backup.path);
  if (copy !== undefined && copy.checksum === backup.checksum) {
    await cluster.place(copy, placeIn({ ...backup, held: false }));
    return 'Present';
  }
  for (const name of runNames(backup)) {
    if (await cluster.create(runOfManifest(backup, name))) return await describe(name, backup, surroundings);
    const present = await cluster.find(name);
    if (present === undefined) return 'Later';
    if (isOf(present, backup)) return 'Present';
    if (isBegun(present, backup)) return await describe(name, backup, surroundings);
    if (present.status?.backupID === undefined && !hasEnded(present)) return 'Later';
  }
  return {
    unreadable: `${backup.path}: both names that its BackupRun could have are taken; remove one of ${runNames(backup).join(', ')}`,
  };
}

async function describe(name: string, backup: StoredBackup, { cluster }: Surroundings): Promise<Known> {
  await cluster.describe(name, statusOfManifest(backup));
  return 'Made';
}

function isOf({ status }: BackupRun, { manifest, checksum }: StoredBackup): boolean {
  return status?.backupID === manifest.backupID && (status.checksum === undefined || status.checksum === checksum);
}

function isBegun({ metadata, status }: BackupRun, { path }: StoredBackup): boolean {
  return status?.backupID === undefined && metadata.annotations?.[annotations.path] === path;
}

function hasEnded({ status }: BackupRun): boolean {
  return ['Completed', 'Failed', 'Cancelled', 'Expired'].includes(status?.phase ?? '');
}
