import { terminal } from '../../domain/failure.ts';
import type { RestoreTask } from '../../domain/task.ts';
import type { ArchiveEntry } from './archive.ts';
import { nameAt, splitStatements } from './sql-statements.ts';
import type { TargetServer } from './target-server.ts';

type Options = Pick<RestoreTask['restore'], 'noOwner' | 'noPrivileges' | 'role' | 'exitOnError'>;

/**
 * What pg_restore would stumble over half-way: extensions that the server has no files of, and roles that own objects or
 * have grants. Only where the first error ends the restore; else they are counted with the others.
 */
export function requirePrerequisites(
  entries: readonly ArchiveEntry[],
  options: Options,
  server: Pick<TargetServer, 'extensions'> & { readonly roles: ReadonlySet<string> },
): void {
  requireRole(options.role, server.roles);
  if (!options.exitOnError) return;
  const extensions = entries.filter(({ kind, name }) => kind === 'EXTENSION' && !server.extensions.has(name));
  if (extensions.length > 0) {
    throw terminal(
      'ExtensionNotAvailable',
      `The target server does not have the files of the extension ${extensions.map(({ name }) => name).join(', ')}, which the backup needs. Nothing was changed. Install the package of the extension on the server (or use an image that has it), or choose tables and schemas that do not need it.`,
    );
  }
  const missing = rolesOf(entries, options).filter((role) => !server.roles.has(role));
  if (missing.length === 0) return;
  throw terminal(
    'RoleMissing',
    `The target server does not have the role${missing.length === 1 ? '' : 's'} ${missing.slice(0, 10).join(', ')}, which own objects of the backup or have grants on them. Nothing was changed. Set globals: Restore to make the roles from the backup, or noOwner: true (objects belong to the restoring role) with noPrivileges: true (no grants), or make the roles first.`,
  );
}

function requireRole(role: string, roles: ReadonlySet<string>): void {
  if (role === '' || roles.has(role)) return;
  throw terminal(
    'RoleMissing',
    `spec.role is ${role}, and the target server has no such role. Nothing was changed. Correct the name, or make the role.`,
  );
}

/** The roles that these entries name as owners and in their grants. */
export function rolesOf(
  entries: readonly ArchiveEntry[],
  { noOwner, noPrivileges }: Pick<Options, 'noOwner' | 'noPrivileges'>,
): readonly string[] {
  const owners = noOwner ? [] : entries.map(({ owner }) => owner);
  const grants = noPrivileges ? [] : entries.filter(({ kind }) => kind === 'ACL' || kind === 'DEFAULT ACL');
  const grantees = grants
    .flatMap(({ definition }) => splitStatements(definition))
    .flatMap((statement) => {
      // The object may be named like a keyword, but comes before: the last one counts.
      const place = statement.tokens.findLastIndex(({ kind, value }) => kind === 'Word' && /^(TO|FROM)$/.test(value));
      const role = place === -1 ? undefined : nameAt(statement, place + 1);
      return role === undefined || statement.tokens[place + 1]?.value === 'PUBLIC' ? [] : [role];
    });
  return [...new Set([...owners, ...grantees])].filter((role) => role !== '').toSorted();
}

/** Whether objects lie in tablespaces that the target lacks: then all go to the default one. */
export function missingTablespaces(
  entries: readonly ArchiveEntry[],
  tablespaces: ReadonlySet<string>,
): readonly string[] {
  const named = new Set(entries.map(({ tablespace }) => tablespace).filter((name) => name !== ''));
  return [...named].filter((name) => !tablespaces.has(name)).toSorted();
}
