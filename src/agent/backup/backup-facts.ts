import type { BackupRunStatus } from '../../api/backup-run.ts';
import type { Logical } from '../../api/logical.ts';
import { backupPath } from '../../domain/layout.ts';
import type { FailedDatabase, LogicalManifest } from '../../domain/manifest.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import { storedBytes, totalBytes } from './build-manifest.ts';
import { storedIn } from './commit-everywhere.ts';
import type { Database } from './databases.ts';
import type { Warnings } from './dump-databases.ts';
import { cut, printable } from './failed-databases.ts';
import { alive, type Target } from './targets.ts';

/** The status' bounds; the manifest has all of it. */
const databasesShown = 1024;
const messageShown = 1024;

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
    ...factsOfPending(databases, []),
    repositories: targets.map(({ name, location }) => ({ name, state: 'Pending', path: backupPath(location) })),
  };
}

/** Databases before the manifest is written: none is Stored, since all may still be removed again. */
export function factsOfPending(
  databases: readonly Database[],
  failed: readonly FailedDatabase[],
): Pick<BackupRunStatus, 'databases'> {
  const why = new Map(failed.map(({ name, message }) => [name, message]));
  const facts = databases.map(({ name, bytes, encoding }) => {
    const message = why.get(name);
    return {
      name,
      bytes: String(bytes),
      encoding,
      ...(message === undefined
        ? { state: 'Pending' as const }
        : { state: 'Failed' as const, message: cut(message, messageShown) }),
    };
  });
  return { databases: failedFirst(facts) };
}

/** A backup whose manifest is in every repository that did not fail. */
export interface StoredBackup {
  readonly backup: LogicalManifest;
  readonly targets: readonly Target[];
  /** The repositories that failed, and where what had been written could not be removed. */
  readonly notRemoved: readonly string[];
  /** All that the policy means. */
  readonly databases: readonly Database[];
  /** Those of them that are no more, and are left out. */
  readonly dropped: readonly string[];
  readonly warnings: Warnings;
  readonly scope: Logical['globals'];
}

/** `checksum` is the manifest's. */
export function factsAtEnd(told: StoredBackup, checksum: string): Partial<BackupRunStatus> {
  const { backup, targets, dropped, warnings } = told;
  const databases = told.databases.filter(({ name }) => !dropped.includes(name));
  const { source, stored } = backup.size;
  const { failed = [] } = backup.logical;
  const seconds = Math.max(1, (Date.parse(backup.completionTime) - Date.parse(backup.startTime)) / 1000);
  const missing = databases.filter(({ name }) => failed.some((each) => each.name === name));
  const whole = backup.logical.databases.map((database) => {
    const said = warnings.get(database.name) ?? [];
    return {
      name: database.name,
      bytes: String(database.bytes),
      encoding: database.encoding,
      storedBytes: String(storedBytes([database])),
      state: 'Stored' as const,
      ...(said.length === 0 ? {} : { message: cut(`pg_dump: ${said.join('; ')}`, messageShown) }),
    };
  });
  return {
    checksum,
    size: {
      source: String(source),
      stored: String(stored),
      ...(stored === 0 ? {} : { compressionRatio: (source / stored).toFixed(2) }),
    },
    databases: failedFirst([...(factsOfPending(missing, failed).databases ?? []), ...factsOfDropped(told), ...whole]),
    ...factsOfGlobals(told),
    repositories: storedIn(
      targets,
      told.notRemoved,
      failed.length === 0 ? undefined : `Without ${failed.map((each) => printable(each.name)).join(', ')}.`,
    ),
    progress: {
      step: failed.length === 0 ? 'stored' : `stored without ${failed.length} of ${databases.length} databases`,
      bytesDone: String(source),
      bytesTotal: String(totalBytes(databases)),
      percent: failed.length === 0 ? 100 : 99,
      bytesPerSecond: String(Math.round(source / seconds)),
    },
  };
}

function factsOfDropped({ databases, dropped }: StoredBackup): NonNullable<BackupRunStatus['databases']> {
  return databases
    .filter(({ name }) => dropped.includes(name))
    .map(({ name, bytes, encoding }) => ({
      name,
      bytes: String(bytes),
      encoding,
      state: 'Dropped' as const,
      message: 'It was dropped while the backup ran, and is not in it.',
    }));
}

function factsOfGlobals({ backup, scope }: StoredBackup): Pick<BackupRunStatus, 'globals'> {
  const { globals } = backup.logical;
  if (globals === undefined) return {};
  const roles = scope === 'Tablespaces' ? {} : { withPasswords: globals.withPasswords };
  return { globals: { storedBytes: String(globals.size), ...roles } };
}

/** What the status has no room for is never what is not in the backup. */
function failedFirst(databases: NonNullable<BackupRunStatus['databases']>): BackupRunStatus['databases'] {
  const isFailed = ({ state }: (typeof databases)[number]) => state === 'Failed' || state === 'Dropped';
  const shown = [...databases.filter(isFailed), ...databases.filter((each) => !isFailed(each))];
  return shown.slice(0, databasesShown);
}

/** Nothing of an attempt that failed is in a repository any more, but for those where removing it failed too. */
export function factsAtFailure(targets: readonly Target[], notRemoved: readonly string[]): Partial<BackupRunStatus> {
  return {
    repositories: targets.map(({ name, location, copy }) => {
      const failure = copy.failure();
      // Where it failed is told where others did not; else the report says it.
      const why =
        failure === undefined || targets.length === 1
          ? {}
          : { reason: failure.reason, message: cut(failure.message, messageShown) };
      return notRemoved.includes(name)
        ? {
            name,
            state: 'Failed',
            path: backupPath(location),
            message: 'What was written could not be removed; the next backup of this policy sweeps it.',
          }
        : { name, state: 'Failed', ...why };
    }),
  };
}

export function summarize(told: StoredBackup): string {
  const { backupID, logical, size } = told.backup;
  const count = logical.databases.length;
  const globals = logical.globals === undefined ? '' : ' and globals';
  const passwords = factsOfGlobals(told).globals?.withPasswords === false ? ' (roles without passwords)' : '';
  const where = alive(told.targets)
    .map(({ name }) => name)
    .join(', ');
  const gone = told.dropped.map((name) => ` ${printable(name)} was dropped while the backup ran, and is not in it.`);
  const said = [...told.warnings].map(([name, each]) => ` pg_dump warned of ${printable(name)}: ${each.join('; ')}.`);
  return `${backupID}: ${count} database${count === 1 ? '' : 's'}${globals}${passwords}, ${size.stored} bytes stored in ${where}.${cut([...gone, ...said].join(''), 1500)}`;
}
