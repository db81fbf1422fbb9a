import { Failure } from '../../domain/failure.ts';
import type { ParentCandidate } from '../../domain/increment/choose-parent.ts';
import { backupPath, backupsPath, type WalLocation } from '../../domain/layout.ts';
import type { PhysicalManifest } from '../../domain/manifest.ts';
import { objectsOf } from '../../domain/manifest-objects.ts';
import { parseLsn } from '../../domain/wal/lsn.ts';
import { readManifest } from '../../repository/backups.ts';
import type { Store } from '../../repository/store.ts';
import type { Repository } from '../backup/targets.ts';
import type { AgentLog } from '../log.ts';

/** A backup of the server as one repository has it. */
export interface StoredCandidate {
  readonly manifest: PhysicalManifest;
  /** Digest of manifest.json. */
  readonly checksum: string;
  readonly path: string;
}

export interface RepositoryCandidates {
  readonly repository: Repository;
  /** By backup ID. */
  readonly backups: ReadonlyMap<string, StoredCandidate>;
}

interface Options {
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

/** The newest physical backups of a server down to the newest full one, in every repository that answers: what an increment may stand on. */
export async function readCandidates(
  repositories: readonly Repository[],
  location: WalLocation,
  options: Options,
): Promise<readonly RepositoryCandidates[]> {
  const read: RepositoryCandidates[] = [];
  let failure: unknown;
  for (const repository of repositories) {
    try {
      const known = read[0]?.backups;
      const backups =
        known === undefined
          ? await readNewest(repository.store, location, options)
          : await readNamed(repository.store, [...known.keys()], location, options);
      read.push({ repository, backups });
    } catch (error) {
      options.signal.throwIfAborted();
      failure ??= error;
      options.log.warn({ repository: repository.name, err: error }, 'an increment is planned without this repository');
    }
  }
  if (read.length === 0) throw failure;
  return read;
}

async function readNamed(store: Store, backupIDs: readonly string[], location: WalLocation, options: Options) {
  const found = new Map<string, StoredCandidate>();
  for (const backupID of backupIDs) {
    const candidate = await readOne(store, backupPath({ ...location, backupID }), options);
    if (candidate !== undefined) found.set(backupID, candidate);
  }
  return found;
}

async function readNewest(store: Store, location: WalLocation, options: Options) {
  const ids: string[] = [];
  for await (const backupID of store.listFolders(`${backupsPath(location)}/`, { signal: options.signal })) {
    if (!/-logical(-\d+)?$/.test(backupID)) ids.push(backupID);
  }
  const found = new Map<string, StoredCandidate>();
  // IDs begin with the time.
  for (const backupID of ids.sort().reverse()) {
    const candidate = await readOne(store, backupPath({ ...location, backupID }), options);
    if (candidate === undefined) continue;
    found.set(backupID, candidate);
    if (candidate.manifest.type === 'Full') break;
  }
  return found;
}

/** undefined for what is no complete physical backup, or cannot be read: another one may be of use. */
async function readOne(store: Store, path: string, { log, signal }: Options): Promise<StoredCandidate | undefined> {
  try {
    const { manifest, sha256 } = await readManifest(store, path, { signal });
    return manifest.method === 'Physical' ? { manifest, checksum: sha256, path } : undefined;
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable) throw error;
    if (error.reason !== 'BackupNotFound') log.warn({ path, reason: error.reason }, error.message);
    return undefined;
  }
}

/** Whether all that its manifest names lies there, by the sizes of a listing. */
export async function isWhole(
  store: Store,
  { manifest, path }: StoredCandidate,
  signal: AbortSignal,
): Promise<boolean> {
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(`${path}/`, { signal })) sizes.set(key, size);
  return objectsOf(manifest).every((object) => sizes.get(`${path}/${object.path}`) === object.size);
}

/** What the choice of a parent looks at; what is not known yet is taken for good. */
export function candidateOf({ manifest, checksum }: StoredCandidate): ParentCandidate {
  const { backupID, type, parentBackupID, parentChecksum, server, completionTime, physical, encryption } = manifest;
  return {
    backupID,
    type,
    parent:
      parentBackupID === undefined || parentChecksum === undefined
        ? undefined
        : { backupID: parentBackupID, checksum: parentChecksum },
    checksum,
    encryptedFor: encryption === undefined ? '' : [encryption.scheme, ...encryption.recipients].join(' '),
    systemIdentifier: server.systemIdentifier,
    timeline: physical.timeline,
    version: server.version,
    begin: parseLsn(physical.beginLSN),
    completionTime: new Date(completionTime),
    dataChecksums: physical.dataChecksums,
    isListed: encryption === undefined || physical.fileList !== undefined,
    isWhole: true,
    isDistrusted: false,
  };
}
