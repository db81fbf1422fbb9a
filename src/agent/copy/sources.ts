import { Failure, terminal } from '../../domain/failure.ts';
import { type BackupLocation, backupPath } from '../../domain/layout.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { readManifest } from '../../repository/backups.ts';
import type { Identity } from '../../repository/identity.ts';
import type { Store } from '../../repository/store.ts';

/** A repository that is read. */
export interface Source {
  readonly name: string;
  readonly store: Store;
  readonly identity: Identity;
}

export interface FoundBackup {
  readonly manifest: Manifest;
  readonly sha256: string;
  /** Of the manifest, as it is stored. */
  readonly bytes: Buffer;
  /** Those that have the same objects, in their order. */
  readonly sources: readonly Source[];
}

/** The backup as the first repository has it that can be read, and the others with the very same. */
export async function findBackup(
  sources: readonly Source[],
  location: BackupLocation,
  signal: AbortSignal,
): Promise<FoundBackup> {
  const failures: unknown[] = [];
  let first: Omit<FoundBackup, 'sources'> | undefined;
  const alike: Source[] = [];
  for (const source of sources) {
    try {
      const found = await readManifest(source.store, backupPath(location), { signal });
      first ??= found;
      if (first.sha256 === found.sha256) alike.push(source);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (first !== undefined) return { ...first, sources: alike };
  throw (
    failures.find((error) => error instanceof Failure && error.retryable) ??
    failures[0] ??
    terminal('BackupNotFound', `No repository has the backup ${location.backupID}.`)
  );
}
