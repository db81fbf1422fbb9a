import type { BackupRunStatus } from '../../api/backup-run.ts';
import { backupPath } from '../../domain/layout.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import { storedBytes, totalBytes } from './build-manifest.ts';
import type { Database } from './databases.ts';
import type { Target } from './targets.ts';

/** The status' bound; the manifest has them all. */
const databasesShown = 1024;

/** What a BackupRun tells from the moment on that its place in the repositories is claimed. */
export function factsAtBegin(
  { version, systemIdentifier, timeline, role }: ServerIdentity,
  databases: readonly Database[],
  targets: readonly Target[],
): Partial<BackupRunStatus> {
  return {
    backupID: targets[0]?.location.backupID ?? '',
    server: { version, systemIdentifier, timeline, role },
    size: { source: String(totalBytes(databases)) },
    databases: databases
      .slice(0, databasesShown)
      .map(({ name, bytes, encoding }) => ({ name, bytes: String(bytes), encoding })),
    repositories: targets.map(({ name, location }) => ({ name, state: 'Pending', path: backupPath(location) })),
  };
}

/** What it tells when the manifest is in every repository; `checksum` is the manifest's. */
export function factsAtEnd(
  backup: LogicalManifest,
  checksum: string,
  targets: readonly Target[],
): Partial<BackupRunStatus> {
  const { source, stored } = backup.size;
  const seconds = Math.max(1, (Date.parse(backup.completionTime) - Date.parse(backup.startTime)) / 1000);
  return {
    checksum,
    size: {
      source: String(source),
      stored: String(stored),
      ...(stored === 0 ? {} : { compressionRatio: (source / stored).toFixed(2) }),
    },
    databases: backup.logical.databases.slice(0, databasesShown).map((database) => ({
      name: database.name,
      bytes: String(database.bytes),
      encoding: database.encoding,
      storedBytes: String(storedBytes([database])),
    })),
    repositories: targets.map(({ name, location }) => ({ name, state: 'Stored', path: backupPath(location) })),
    progress: {
      step: 'stored',
      bytesDone: String(source),
      bytesTotal: String(source),
      percent: 100,
      bytesPerSecond: String(Math.round(source / seconds)),
    },
  };
}

/** Nothing of an attempt that failed is in a repository any more, but for those where removing it failed too. */
export function factsAtFailure(targets: readonly Target[], notRemoved: readonly string[]): Partial<BackupRunStatus> {
  return {
    repositories: targets.map(({ name, location }) =>
      notRemoved.includes(name)
        ? {
            name,
            state: 'Failed',
            path: backupPath(location),
            message: 'What was written could not be removed; the next backup of this policy sweeps it.',
          }
        : { name, state: 'Failed' },
    ),
  };
}

export function summarize({ backupID, logical, size }: LogicalManifest, targets: readonly Target[]): string {
  const count = logical.databases.length;
  const globals = logical.globals === undefined ? '' : ' and globals';
  const passwords = logical.globals?.withPasswords === false ? ' (roles without passwords)' : '';
  const where = targets.map(({ name }) => name).join(', ');
  return `${backupID}: ${count} database${count === 1 ? '' : 's'}${globals}${passwords}, ${size.stored} bytes stored in ${where}.`;
}
