import { type Encryption, sameEncryption } from '../../domain/encryption.ts';
import { terminal, transient } from '../../domain/failure.ts';
import { type BackupLocation, backupPath } from '../../domain/layout.ts';
import type { Started } from '../../domain/started.ts';
import type { RepositoryTask } from '../../domain/task.ts';
import { beginBackup, removeBackup } from '../../repository/backups.ts';
import { openStore } from '../../repository/open.ts';
import { openEncryption } from '../../repository/open-encryption.ts';
import type { Store } from '../../repository/store.ts';

/** A repository that is to have the backup. */
export interface Repository {
  readonly name: string;
  readonly store: Store;
  /** For whom everything that goes there is encrypted; absent: nobody. */
  readonly encryption?: Encryption | undefined;
}

/** The backup's place in one repository; every repository has the same ID. */
export interface Target extends Repository {
  readonly location: BackupLocation;
}

export async function openRepositories(
  repositories: readonly RepositoryTask[],
  mountRoot: string | undefined,
): Promise<readonly Repository[]> {
  const opened: Repository[] = [];
  for (const [index, repository] of repositories.entries()) {
    if (repository.spec.accessMode === 'ReadOnly') {
      throw terminal(
        'ReadOnlyRepository',
        `The repository ${repository.name} has accessMode: ReadOnly, so no backup is written there. Take it out of the policy's repositoryRefs, or set accessMode: ReadWrite.`,
      );
    }
    const store = await openStore(repository, index, mountRoot === undefined ? {} : { mountRoot });
    const encryption = await openEncryption(repository, index, mountRoot === undefined ? {} : { mountRoot });
    opened.push({ name: repository.name, store, encryption });
  }
  return opened;
}

/** Objects are encrypted once, and are the same in every repository. */
export function commonEncryption(repositories: readonly Repository[]): Encryption | undefined {
  const [first, ...others] = repositories;
  const different = others.find(({ encryption }) => !sameEncryption(first?.encryption, encryption));
  if (first === undefined || different === undefined) return first?.encryption;
  throw terminal(
    'EncryptionDiffers',
    `The repositories ${first.name} and ${different.name} of one policy have different spec.encryption, and a backup is the same in all of them. Give them the same recipients, or give each a policy of its own.`,
  );
}

const idAttempts = 5;

/** Claims one and the same ID in every repository. */
export async function claimEverywhere(
  repositories: readonly Repository[],
  wanted: BackupLocation,
  started: Omit<Started, 'format' | 'backupID'>,
  signal: AbortSignal,
): Promise<readonly Target[]> {
  commonEncryption(repositories);
  let location = wanted;
  for (let attempt = 1; attempt <= idAttempts; attempt += 1) {
    const targets: Target[] = [];
    try {
      for (const repository of repositories) {
        const claimed = await beginBackup(repository.store, location, started, signal);
        targets.push({ ...repository, location: claimed });
      }
    } catch (error) {
      await removeEverywhere(targets);
      throw error;
    }
    const latest = targets.at(-1)?.location ?? location;
    if (targets.every((target) => target.location.backupID === latest.backupID)) return targets;
    await removeEverywhere(targets);
    location = latest;
  }
  throw transient(
    'BackupIDTaken',
    `No ID like ${wanted.backupID} is free in all of ${repositories.map(({ name }) => name).join(', ')}. Start the backup again.`,
  );
}

/** Long enough to delete thousands of objects, short enough for the grace period of a pod that is being ended. */
const removalTime = 20_000;

/** Removes what was written, in a time of its own; resolves with the names of the repositories where that failed. */
export async function removeEverywhere(targets: readonly Target[]): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(removalTime);
  const results = await Promise.allSettled(
    targets.map(({ store, location }) => removeBackup(store, backupPath(location), signal)),
  );
  return targets.filter((_, index) => results[index]?.status === 'rejected').map(({ name }) => name);
}
