import { Failure } from '../../../domain/failure.ts';
import type { CataloguedBackup } from '../../../domain/recovery/catalogue.ts';
import type { PlanRecoveryTask } from '../../../domain/task.ts';
import type { Store } from '../../../repository/store.ts';
import { isBad } from '../../../repository/verdicts.ts';
import { type Followed, followTarget } from './follow-target.ts';
import type { ReadCatalogue } from './read-catalogue.ts';

export interface TrustedFollower {
  /** As followTarget, with what is left of the backups. */
  follow(backups: ReadCatalogue['backups']): Promise<Followed>;
  /** Those that failed their verification, by what the task or the repository says, and the increments that stand on them. */
  failed(): readonly string[];
}

/**
 * Looks beside the manifests of what was chosen whether the repository says that it was found bad; then something else is
 * chosen, where that leads to the target too.
 */
export function followTrusted(
  task: Pick<PlanRecoveryTask, 'target' | 'passOver' | 'drill'>,
  catalogue: ReadCatalogue,
  signal: AbortSignal,
): TrustedFollower {
  const named = new Set(task.passOver);
  const looked = new Set<string>();
  const failed = () => withIncrements(named, catalogue);
  /** Whether something was found out that was not known. */
  const learn = async (chosen: CataloguedBackup): Promise<boolean> => {
    const before = named.size;
    for (const { backupID, path } of chainOf(chosen, catalogue)) {
      if (looked.has(backupID) || named.has(backupID)) continue;
      looked.add(backupID);
      if (await isMarked(catalogue.archive.store, path, signal)) named.add(backupID);
    }
    return named.size > before;
  };
  return {
    failed,
    async follow(backups) {
      for (;;) {
        const options = { passOver: failed(), heartbeat: task.drill === true };
        const followed = await followTarget(task.target, { ...catalogue, backups }, signal, options);
        if (!(await learn(followed.candidate.backup))) return followed;
      }
    },
  };
}

/** Where a repository of several is away, nobody can say that there is no mark; a recovery does not wait for that. */
async function isMarked(store: Store, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await isBad(store, path, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    return false;
  }
}

/** The backup and what it stands on, in so far as that is there. */
function chainOf(chosen: CataloguedBackup, { backups, manifests }: ReadCatalogue): readonly CataloguedBackup[] {
  const chain: CataloguedBackup[] = [];
  for (let next: CataloguedBackup | undefined = chosen; next !== undefined && !chain.includes(next); ) {
    chain.push(next);
    const parent: string | undefined = manifests.get(next)?.parentBackupID;
    next = parent === undefined ? undefined : backups.find(({ backupID }) => backupID === parent);
  }
  return chain;
}

/** And the increments that stand on them. */
function withIncrements(ids: ReadonlySet<string>, { backups, manifests }: ReadCatalogue): readonly string[] {
  const failed = new Set(ids);
  // The oldest first: what an increment stands on comes before it.
  for (const backup of backups.toReversed()) {
    const { parentBackupID } = manifests.get(backup) ?? {};
    if (parentBackupID !== undefined && failed.has(parentBackupID)) failed.add(backup.backupID);
  }
  return [...failed];
}
