import { type Encryption, encryptionOf } from '../../domain/encryption.ts';
import { terminal, transient } from '../../domain/failure.ts';
import { type BackupLocation, backupPath } from '../../domain/layout.ts';
import type { Started } from '../../domain/started.ts';
import type { RepositoryTask } from '../../domain/task.ts';
import { beginBackup, removeBackup } from '../../repository/backups.ts';
import { openStore } from '../../repository/open.ts';
import { openEncryption } from '../../repository/open-encryption.ts';
import type { Store } from '../../repository/store.ts';
import { unopenedStore } from '../../repository/unopened-store.ts';
import { type CopyState, createCopyState } from './copy-state.ts';

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
  readonly copy: CopyState;
}

/**
 * One that cannot be opened, for a Secret that is missing or the like, fails at every call; where none can be opened, that
 * is thrown.
 */
export async function openRepositories(
  repositories: readonly RepositoryTask[],
  mountRoot: string | undefined,
): Promise<readonly Repository[]> {
  const opened: Repository[] = [];
  const failures: unknown[] = [];
  for (const [index, repository] of repositories.entries()) {
    const { name, spec } = repository;
    requireWritable(repository);
    const options = mountRoot === undefined ? {} : { mountRoot };
    const encryption = () => openEncryption(repository, index, options);
    const store = () => openStore(repository, index, options);
    try {
      opened.push({ name, encryption: await encryption(), store: await store() });
    } catch (error) {
      failures.push(error);
      // What cannot be encrypted is not stored at all.
      const both = async () => {
        await encryption();
        return await store();
      };
      opened.push({ name, encryption: encryptionOf(spec), store: unopenedStore(name, both) });
    }
  }
  if (failures.length === opened.length) throw failures[0];
  return opened;
}

export function requireWritable({ name, spec }: RepositoryTask): void {
  if (spec.accessMode !== 'ReadOnly') return;
  throw terminal(
    'ReadOnlyRepository',
    `The repository ${name} has accessMode: ReadOnly, so nothing is written there. Take it out of the policy's repositoryRefs, or set accessMode: ReadWrite.`,
  );
}

export function targetIn(repository: Repository, location: BackupLocation): Target {
  return { ...repository, location, copy: createCopyState() };
}

/** Those that have all of the backup so far. Where there is none any more, the failure that may pass by itself is thrown. */
export function alive(targets: readonly Target[]): readonly Target[] {
  const living = targets.filter(({ copy }) => copy.failure() === undefined);
  if (living.length === 0) throw failureOfAll(targets);
  return living;
}

/** Goes on without one that fails, as long as there is another. */
export function dropTarget(targets: readonly Target[], target: Target, error: unknown, signal: AbortSignal): void {
  signal.throwIfAborted();
  target.copy.drop(error);
  alive(targets);
}

function failureOfAll(targets: readonly Target[]): Error {
  const failures = targets.map(({ copy }) => copy.failure()).filter((failure) => failure !== undefined);
  return failures.find(({ retryable }) => retryable) ?? failures[0] ?? new Error('a backup without a repository');
}

const idAttempts = 5;

/** Claims one and the same ID in every repository; one where that fails is dropped. */
export async function claimEverywhere(
  repositories: readonly Repository[],
  wanted: BackupLocation,
  started: Omit<Started, 'format' | 'backupID'>,
  signal: AbortSignal,
): Promise<readonly Target[]> {
  let location = wanted;
  let failures = new Map<string, unknown>();
  for (let attempt = 1; attempt <= idAttempts; attempt += 1) {
    const targets: Target[] = [];
    const before = failures;
    failures = new Map();
    for (const repository of repositories) {
      try {
        // It has failed already: to wait for it once more would only take its time again.
        if (before.has(repository.name)) throw before.get(repository.name);
        targets.push(targetIn(repository, await beginBackup(repository.store, location, started, signal)));
      } catch (error) {
        if (signal.aborted) await removeEverywhere(targets);
        signal.throwIfAborted();
        failures.set(repository.name, error);
      }
    }
    const latest = furthest(targets) ?? location;
    if (targets.every((target) => target.location.backupID === latest.backupID)) {
      const all = repositories.map((each) => targets.find(({ name }) => name === each.name) ?? targetIn(each, latest));
      for (const target of all) if (failures.has(target.name)) target.copy.drop(failures.get(target.name));
      alive(all);
      return all;
    }
    await removeEverywhere(targets);
    location = latest;
  }
  throw transient(
    'BackupIDTaken',
    `No ID like ${wanted.backupID} is free in all of ${repositories.map(({ name }) => name).join(', ')}. Start the backup again.`,
  );
}

/** The ID with the highest number: a lower one, free in the repository that has it, is taken in another. */
function furthest(targets: readonly Target[]): BackupLocation | undefined {
  const byNumber = (one: Target, other: Target) =>
    one.location.backupID.localeCompare(other.location.backupID, 'en', { numeric: true });
  return targets.toSorted(byNumber).at(-1)?.location;
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

/** The same where the backup was given up while others have it. */
export function removeDropped(targets: readonly Target[]): Promise<readonly string[]> {
  return removeEverywhere(targets.filter(({ copy }) => copy.failure() !== undefined));
}
