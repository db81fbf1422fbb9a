import type { Manifest } from '../manifest.ts';
import { type CataloguedBackup, catalogued } from '../recovery/catalogue.ts';

export type Method = Manifest['method'];

/** What retention looks at, of one backup that has a manifest. */
export interface RepositoryBackup {
  readonly backupID: string;
  /** The BackupRun that made it. */
  readonly run: string;
  /** Its folder under the repository's prefix. */
  readonly path: string;
  readonly systemIdentifier: string;
  readonly method: Method;
  readonly type: string;
  /** Of an increment: the backup without which it is nothing. */
  readonly parent?: string | undefined;
  readonly startTime: Date;
  readonly completionTime: Date;
  /** false: databases that the policy means are not in it. */
  readonly complete: boolean;
  /** It was restored, and found bad. */
  readonly failed?: boolean;
  /** As stored. */
  readonly bytes: number;
  readonly held: boolean;
  readonly physical?: CataloguedBackup | undefined;
}

export function repositoryBackup(manifest: Manifest, path: string, held: boolean, failed = false): RepositoryBackup {
  const { backupID, run, method, type, startTime, completionTime, server, size } = manifest;
  return {
    backupID,
    run,
    path,
    systemIdentifier: server.systemIdentifier,
    method,
    type,
    parent: method === 'Physical' ? manifest.parentBackupID : undefined,
    startTime: new Date(startTime),
    completionTime: new Date(completionTime),
    complete: method !== 'Logical' || (manifest.logical.failed ?? []).length === 0,
    bytes: size.stored,
    held,
    failed,
    physical: method === 'Physical' ? catalogued(manifest, path) : undefined,
  };
}

/** One backup among those of all servers that a policy has protected into a repository. */
export function keyOf({ systemIdentifier, backupID }: Pick<RepositoryBackup, 'systemIdentifier' | 'backupID'>): string {
  return `${systemIdentifier}/${backupID}`;
}

export function newestFirst(backups: readonly RepositoryBackup[]): readonly RepositoryBackup[] {
  return backups.toSorted(
    (one, other) =>
      other.completionTime.getTime() - one.completionTime.getTime() || other.backupID.localeCompare(one.backupID),
  );
}

/** The backup itself, its parent, the parent of that; undefined where one of them is not there or not complete. */
export function chainOf(
  backup: RepositoryBackup,
  byKey: ReadonlyMap<string, RepositoryBackup>,
): readonly RepositoryBackup[] | undefined {
  const chain: RepositoryBackup[] = [];
  for (let each: RepositoryBackup | undefined = backup; each !== undefined; ) {
    if (!each.complete || chain.includes(each)) return undefined;
    chain.push(each);
    if (each.parent === undefined) return chain;
    each = byKey.get(keyOf({ ...each, backupID: each.parent }));
  }
  return undefined;
}
