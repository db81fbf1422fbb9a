import { type Encryption, sameEncryption } from '../../domain/encryption.ts';
import { Failure, terminal, transient } from '../../domain/failure.ts';
import { type BackupLocation, backupPath, manifestName } from '../../domain/layout.ts';
import type { Manifest, StoredObject } from '../../domain/manifest.ts';
import { isNeverEncrypted, objectsOf, withObjects } from '../../domain/manifest-objects.ts';
import { commitBackup, commitManifest, readManifest } from '../../repository/backups.ts';
import { openEncrypted } from '../../repository/open-encrypted.ts';
import type { Store } from '../../repository/store.ts';
import { isWhole } from '../../repository/verify-objects.ts';
import type { Repository } from '../backup/targets.ts';
import type { AgentLog } from '../log.ts';
import { type ClaimOptions, claimFolder } from './claim-folder.ts';
import { copyObject, isAsItIs, pathThere, type Recoding } from './copy-object.ts';
import { type Journal, openJournal } from './journal.ts';
import { type FoundBackup, findBackup, type Source } from './sources.ts';

export interface BackupToCopy {
  readonly location: BackupLocation;
  readonly sources: readonly Source[];
  readonly to: Repository;
  readonly claim: ClaimOptions;
  readonly log: AgentLog;
  /** Told of bytes that are there: of all, and which of them had not to be sent. */
  readonly onBytes: (bytes: number, sent: boolean) => void;
  readonly signal: AbortSignal;
}

export interface CopiedBackup {
  readonly outcome: 'Copied' | 'AlreadyThere';
  /** Of the manifest there. */
  readonly sha256: string;
  /** The repository that it came from first of all. */
  readonly from: string;
}

/**
 * Copies one backup under its own ID, the manifest last: before that it does not exist there. What an earlier attempt has
 * brought is read back and not sent again. Where the encryption is the same, every object and the manifest are byte for
 * byte the same; else the objects are encrypted anew, and the manifest has their names and digests.
 */
export async function copyBackup(work: BackupToCopy): Promise<CopiedBackup> {
  const { location, to, sources, signal } = work;
  const folder = backupPath(location);
  const found = await findBackup(sources, location, signal);
  const from = found.sources[0]?.name ?? '';
  const present = await presentIn(to.store, folder, found.manifest, signal);
  if (present !== undefined) return { outcome: 'AlreadyThere', sha256: present, from };
  const parent = await parentThere(found.manifest, location, to, signal);
  const recoding = await recodingFor(found, folder, to.encryption, signal);
  requireSameParent(found.manifest, parent, recoding, to);
  await claimFolder(to.store, folder, location.backupID, work.claim, signal);
  const journal = isAsItIs(recoding) ? undefined : await openJournal(to.store, folder, signal);
  const copied = new Map<string, StoredObject>();
  try {
    for (const object of objectsOf(found.manifest)) {
      const own = isNeverEncrypted(found.manifest, object) ? asItIs : recoding;
      copied.set(object.path, await bring(object, folder, { ...work, sources: found.sources, recoding: own, journal }));
    }
  } finally {
    // Also when it is told to stop: the next attempt goes on from here.
    await journal?.flush().catch(() => undefined);
  }
  await removeOthers(to.store, folder, [...copied.values()], signal);
  const { sha256 } = isAsItIs(recoding)
    ? await commitManifest(to.store, folder, found, signal)
    : await commitBackup(
        to.store,
        location,
        standingOn(
          withObjects(found.manifest, to.encryption, (object) => copied.get(object.path) ?? object),
          parent,
        ),
        signal,
      );
  return { outcome: 'Copied', sha256, from };
}

/** The digest of its manifest where it is there; another backup of that ID is never touched. */
async function presentIn(
  store: Store,
  folder: string,
  expected: Manifest,
  signal: AbortSignal,
): Promise<string | undefined> {
  if ((await store.head(`${folder}/${manifestName}`, { signal })) === undefined) return undefined;
  const { manifest, sha256 } = await readManifest(store, folder, { signal });
  const same = (['backupID', 'method', 'run', 'startTime', 'completionTime'] as const).every(
    (field) => manifest[field] === expected[field],
  );
  if (same) return sha256;
  throw terminal(
    'BackupConflict',
    `${store.description} has another backup at ${folder} (of the run ${manifest.run}, completed at ${manifest.completionTime}), and it stays as it is. Copy into a repository, or under a prefix, of its own.`,
  );
}

const asItIs: Recoding = { from: undefined, to: undefined, identityFile: undefined };

/** Digest of the manifest there of what an increment stands on: without that it would be nothing there. */
async function parentThere(
  manifest: Manifest,
  location: BackupLocation,
  { name, store }: Repository,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (manifest.method !== 'Physical' || manifest.parentBackupID === undefined) return undefined;
  const { backupID, parentBackupID } = manifest;
  try {
    return (await readManifest(store, backupPath({ ...location, backupID: parentBackupID }), { signal })).sha256;
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'BackupNotFound') throw error;
    throw transient(
      'ParentMissing',
      `Backup ${backupID} is the difference to ${parentBackupID}, which the repository ${name} does not have: without it nobody could restore this one from there. Copy that one first.`,
      error,
    );
  }
}

function requireSameParent(manifest: Manifest, parent: string | undefined, recoding: Recoding, to: Repository): void {
  if (parent === undefined || manifest.method !== 'Physical' || !isAsItIs(recoding)) return;
  if (parent === manifest.parentChecksum) return;
  throw terminal(
    'BackupConflict',
    `The repository ${to.name} has another backup ${manifest.parentBackupID} than the one that ${manifest.backupID} stands on, and it stays as it is. Copy into a repository, or under a prefix, of its own.`,
  );
}

function standingOn(manifest: Manifest, parentChecksum: string | undefined): Manifest {
  return manifest.method !== 'Physical' || parentChecksum === undefined ? manifest : { ...manifest, parentChecksum };
}

async function recodingFor(
  { manifest, sources }: FoundBackup,
  folder: string,
  to: Encryption | undefined,
  signal: AbortSignal,
): Promise<Recoding> {
  const from: Encryption | undefined = manifest.encryption;
  if (from === undefined || sameEncryption(from, to)) return { from, to, identityFile: undefined };
  const [source] = sources;
  if (source === undefined) throw new Error('a backup that nobody has');
  try {
    const identityFile = await openEncrypted({ store: source.store, path: folder, manifest }, source.identity, signal);
    return { from, to, identityFile };
  } catch (error) {
    if (!(error instanceof Failure) || !['IdentityMissing', 'WrongIdentity'].includes(error.reason)) throw error;
    throw terminal(
      error.reason,
      `It can only be copied to where it is encrypted for others by decrypting it. ${error.message} Or give both repositories the same recipients.`,
      error,
    );
  }
}

interface Bringing extends BackupToCopy {
  readonly recoding: Recoding;
  readonly journal: Journal | undefined;
}

async function bring(object: StoredObject, folder: string, work: Bringing): Promise<StoredObject> {
  const { to, recoding, journal, signal, onBytes, sources, log } = work;
  const path = pathThere(object, recoding);
  const known = journal === undefined ? { ...object, path } : journal.find(object.path);
  const key = `${folder}/${path}`;
  const there = await to.store.head(key, { signal });
  if (there !== undefined) {
    if (known?.size === there.size && (await isWhole(to.store, folder, known, signal))) {
      onBytes(object.size, false);
      const { size, sha256 } = known;
      return { path, size, sha256 };
    }
    await to.store.delete([key], { signal });
  }
  const stored = await copyObject({ object, folder, sources, store: to.store, recoding, log, signal });
  if (journal === undefined && (stored.size !== object.size || stored.sha256 !== object.sha256)) {
    throw transient(
      'ChecksumMismatch',
      `${key} was stored with other content in ${to.store.description} than was sent.`,
    );
  }
  await journal?.add(object.path, stored);
  onBytes(object.size, true);
  return stored;
}

/** What an attempt of another kind has left: a complete backup holds nothing that its manifest does not name. */
async function removeOthers(
  store: Store,
  folder: string,
  objects: readonly StoredObject[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = new Set([`${folder}/started.json`, ...objects.map(({ path }) => `${folder}/${path}`)]);
  const others: string[] = [];
  for await (const { key } of store.list(`${folder}/`, { signal })) if (!wanted.has(key)) others.push(key);
  if (others.length > 0) await store.delete(others, { signal });
}
