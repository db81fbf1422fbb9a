import type { BackupRunStatus } from '../../api/backup-run.ts';
import { type Failure, terminal } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { withObjects } from '../../domain/manifest-objects.ts';
import { commitBackup } from '../../repository/backups.ts';
import { cut } from './failed-databases.ts';
import { alive, dropTarget, type Target } from './targets.ts';

/** Writes the manifest into every repository that has all of the backup; gives the digest of the first one's. */
export async function commitEverywhere(
  targets: readonly Target[],
  backupFor: (repository: string) => Manifest,
  signal: AbortSignal,
): Promise<string> {
  for (const target of alive(targets)) {
    const { name, store, location, encryption, copy } = target;
    const own = withObjects(backupFor(name), encryption, (object) => copy.objectOf(object) ?? object);
    try {
      copy.committed((await commitBackup(store, location, own, signal)).sha256);
    } catch (error) {
      dropTarget(targets, target, error, signal);
    }
  }
  return alive(targets)[0]?.copy.checksum() ?? '';
}

const messageShown = 1024;

/** Of a backup that at least one repository has. `notRemoved`: those where what was written before they failed still lies. */
export function storedIn(
  targets: readonly Target[],
  notRemoved: readonly string[],
  said: string | undefined,
): NonNullable<BackupRunStatus['repositories']> {
  return targets.map(({ name, location, copy }) => {
    const failure = copy.failure();
    if (failure === undefined) {
      const checksum = copy.checksum();
      return {
        name,
        state: 'Stored',
        path: backupPath(location),
        ...(checksum === undefined ? {} : { checksum }),
        ...(said === undefined ? {} : { message: cut(said, messageShown) }),
      };
    }
    const left = notRemoved.includes(name) ? ' What was written there could not be removed yet.' : '';
    return {
      name,
      state: 'Failed',
      ...(left === '' ? {} : { path: backupPath(location) }),
      reason: failure.reason,
      message: cut(`${failure.message}${left}`, messageShown),
    };
  });
}

/** Terminal: the server is not read again for what copying can do. undefined where every repository has it. */
export function failureOfSome(targets: readonly Target[], summary: string): Failure | undefined {
  const lacking = targets.flatMap(({ name, copy }) => {
    const failure = copy.failure();
    return failure === undefined ? [] : [{ name, failure }];
  });
  if (lacking.length === 0) return undefined;
  const why = lacking.map(({ name, failure }) => `${name} does not have it: ${failure.message}`).join(' ');
  return terminal(
    'StoredInSome',
    `${summary} It can be restored from there. ${why} It is copied from where it is as soon as that repository is Ready again.`,
  );
}
