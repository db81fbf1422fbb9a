import { type RestoreDatabase, restoreRequestSpec } from '../../api/restore-request.ts';
import { terminal } from '../../domain/failure.ts';
import type { LogicalManifest, ManifestDatabase } from '../../domain/manifest.ts';
import type { TargetServer } from './target-server.ts';

/** One database to be restored, and how its target comes to be. */
export interface ChosenDatabase {
  /** Its place in spec.databases. */
  readonly index: number;
  readonly source: ManifestDatabase;
  readonly asked: RestoreDatabase;
  readonly targetName: string;
}

/** A new database; a new one in the place of one that is there; or one that is there. */
export type Way = 'Create' | 'Replace' | 'Into';

/** spec.databases, or all of the backup. */
export function chooseDatabases(
  asked: readonly RestoreDatabase[],
  { logical, backupID }: Pick<LogicalManifest, 'logical' | 'backupID'>,
): readonly ChosenDatabase[] {
  const present = logical.databases.map(({ name }) => name);
  const failed = logical.failed ?? [];
  if (asked.length === 0) requireAll(failed, present, backupID);
  const all = asked.length > 0 ? asked : restoreRequestSpec.shape.databases.parse(present.map((name) => ({ name })));
  return all.map((each, index) => {
    const source = logical.databases.find(({ name }) => name === each.name);
    if (source !== undefined) return { index, source, asked: each, targetName: each.targetName ?? each.name };
    const lost = failed.find(({ name }) => name === each.name);
    if (lost !== undefined) {
      throw terminal(
        'DatabaseNotInBackup',
        `Database ${each.name} is not in backup ${backupID}, because its dump failed (${lost.reason}: ${lost.message}) Nothing was changed. Take databases[${index}] from another backup; this one has ${present.join(', ')}.`,
      );
    }
    throw terminal(
      'UnknownDatabase',
      `Backup ${backupID} holds no database ${each.name}. It has ${present.join(', ')}. Nothing was changed. Correct databases[${index}].name, or choose another backup.`,
    );
  });
}

/** A backup whose run failed is never taken for a whole one. */
function requireAll(
  failed: NonNullable<LogicalManifest['logical']['failed']>,
  present: readonly string[],
  backupID: string,
): void {
  if (failed.length === 0) return;
  const lost = failed.map(({ name, reason, message }) => `${name} (${reason}: ${message})`).join(', ');
  throw terminal(
    'DatabaseNotInBackup',
    `Backup ${backupID} does not hold all databases that it was to hold: the dump of ${lost} failed. Nothing was changed. Name in databases those that you want of what is there (${present.join(', ')}), or choose another backup.`,
  );
}

/** Refuses what cannot be before anything is fetched. */
export function wayOf({ asked, targetName }: ChosenDatabase, server: TargetServer, username: string): Way {
  const there = server.databases.get(targetName);
  if (there === undefined) {
    requireCreation(asked, targetName, server, username);
    return 'Create';
  }
  if (there.isHalfDropped) {
    throw terminal(
      'DatabaseRefusesConnections',
      `A DROP DATABASE of ${targetName} on the target server was interrupted, and nothing can be done with it but to finish that. Nothing was changed. Run: DROP DATABASE "${targetName.replaceAll('"', '""')}"; or restore into another one (targetName).`,
    );
  }
  if (!there.allowsConnections) {
    throw terminal(
      'DatabaseRefusesConnections',
      `Database ${targetName} of the target server allows no connections. Nothing was changed. Allow them (ALTER DATABASE … ALLOW_CONNECTIONS true), or restore into another one (targetName).`,
    );
  }
  if (asked.onConflict !== 'Replace') return 'Into';
  if (there.owner !== username && !server.isSuperuser) {
    throw terminal(
      'PermissionDenied',
      `onConflict: Replace renames database ${targetName}, which belongs to ${there.owner}, and ${username} is neither its owner nor a superuser. Nothing was changed. Use the credentials of one of them.`,
    );
  }
  requireCreation(asked, targetName, server, username);
  return 'Replace';
}

function requireCreation(asked: RestoreDatabase, targetName: string, server: TargetServer, username: string): void {
  if (!asked.create) {
    throw terminal(
      'TargetMissing',
      `The target server has no database ${targetName}, and create is false. Nothing was changed. Make the database, or set create: true.`,
    );
  }
  if (asked.content === 'DataOnly') {
    throw terminal(
      'TargetMissing',
      `content: DataOnly fills tables that are there, and the target server has no database ${targetName}. Nothing was changed. Use content: All, or make the database and its tables first.`,
    );
  }
  if (asked.sections.length > 0 && !asked.sections.includes('PreData')) {
    throw terminal(
      'TargetMissing',
      `sections without PreData needs the tables to be there, and the target server has no database ${targetName}. Nothing was changed. Restore PreData into it first, or with the others.`,
    );
  }
  if (server.mayCreateDatabases) return;
  throw terminal(
    'PermissionDenied',
    `The role ${username} may not create databases. Nothing was changed. As a superuser, run: ALTER ROLE "${username.replaceAll('"', '""')}" CREATEDB; or restore into a database that is there.`,
  );
}
