import { Failure, terminal } from '../../domain/failure.ts';
import { failureOfTool, type ServerContext } from '../../postgres/failure.ts';

interface Rule {
  readonly reason: string;
  readonly expression: RegExp;
  readonly advice: string;
}

/** What pg_restore and the server say when a restore goes wrong, from the telling to the general. */
const rules: readonly Rule[] = [
  {
    reason: 'RoleMissing',
    expression: /role "[^"]*" does not exist/,
    advice:
      'The backup names a role that the target server does not have. Set globals: Restore to make the roles of the backup, or noOwner: true and noPrivileges: true to do without them.',
  },
  {
    reason: 'ExtensionNotAvailable',
    expression:
      /extension "[^"]*" is not available|could not open extension control file|extension "[^"]*" has no (update path|installation script)/,
    advice:
      'The target server does not have an extension that the backup needs, or not in that version. Install its package on the server, or use an image that has it.',
  },
  {
    reason: 'LabelProviderMissing',
    expression: /security label provider "[^"]*" is not loaded|no security label providers have been loaded/,
    advice:
      'The backup has security labels, and the target server does not have the module that knows them. Install it and name it in session_preload_libraries or shared_preload_libraries, or leave the labels out: a listFile without the lines SECURITY LABEL, or exitOnError: false, which restores the rest and counts them.',
  },
  {
    reason: 'PermissionDenied',
    expression: /permission denied to create extension|Must be superuser to create this extension/,
    advice:
      'Only a superuser may make an extension of the backup. Restore with the credentials of a superuser, or have one run CREATE EXTENSION in the target database first and restore with onConflict: Fail.',
  },
  {
    reason: 'DependentObjects',
    expression: /cannot drop .* because .*(depend|require)/,
    advice:
      'Objects outside of this restore hang on what onConflict: Clean has to drop. Add them to tables.include (they are named below), drop them first, or use onConflict: Replace for the whole database.',
  },
  {
    reason: 'TargetExists',
    expression: /already exists|multiple primary keys for table/,
    advice:
      'Something that is to be restored is in the target already. Set onConflict: Clean to drop it first, or restore into another database (targetName).',
  },
  {
    reason: 'ForeignKeyViolation',
    expression: /violates foreign key constraint/,
    advice:
      'Rows point at rows of another table that are not there: the tables are not of one and the same time. Restore the tables that point at each other together, or remove the rows that are alone first.',
  },
  {
    reason: 'ConstraintViolation',
    expression:
      /violates (unique|check|not-null|exclusion) constraint|duplicate key value|could not create unique index/,
    advice:
      'The rows do not keep to a constraint of the target. Restore into an empty table, or use onConflict: Clean, which takes the constraints from the backup.',
  },
  {
    reason: 'PermissionDenied',
    expression: /permission denied|must be (owner|member|superuser|able to SET ROLE)|Only roles with|Non-superuser/,
    advice:
      'The role of this restore may not do that. Restore with the credentials of a superuser or of the owner; noOwner: true leaves ownership to the restoring role, and noPrivileges: true leaves grants out.',
  },
  {
    reason: 'VersionMismatch',
    expression:
      /unsupported version \(.*\) in file header|unrecognized configuration parameter|is not supported by this version/,
    advice:
      'The backup was made on a later version of PostgreSQL than the target understands. Restore into a server of the same major version or a later one.',
  },
  {
    reason: 'EncodingMismatch',
    expression: /invalid byte sequence for encoding|has no equivalent in encoding|character with byte sequence/,
    advice:
      'The target database has another encoding than the backup. Restore into a new database (create: true gives it the right encoding).',
  },
  {
    reason: 'TooManyLocks',
    expression: /max_locks_per_transaction/,
    advice:
      'A restore in one transaction locks every object at once, which is more than the server allows. Restore into a new database, set jobs: 2 (which is not one transaction), or raise max_locks_per_transaction and restart the server.',
  },
  {
    reason: 'LocaleMissing',
    expression: /invalid locale name|invalid LC_COLLATE|invalid LC_CTYPE|could not (create|open) (locale|collator)/,
    advice:
      'The operating system of the target server does not have the locale of the database. Install it there, or make the database yourself with another locale and restore into it.',
  },
  {
    reason: 'MissingDependency',
    expression:
      /(type|relation|schema|function|collation|table|operator|language|server|publication|access method)\b.* does not exist/,
    advice:
      'Something that the restored objects need is not in the target. Restore it too (tables, schemas), or restore the whole database.',
  },
];

/** The failure of a restore, with what it means for the target (`aftermath`: a sentence) and what to do. */
export function failureOfRestore(
  ended: { readonly tool: string; readonly how: string; readonly said: string; readonly cause?: unknown },
  context: ServerContext,
  aftermath: string,
): Failure {
  const { tool, how, said, cause } = ended;
  const rule = rules.find(({ expression }) => expression.test(said));
  if (rule !== undefined) return terminal(rule.reason, `${rule.advice} ${aftermath}${quoted(said)}`, cause);
  const { reason, message, retryable } = failureOfTool({ tool, how, stderr: said, cause }, context);
  return new Failure(reason, `${aftermath} ${message}`, { retryable, cause });
}

/** A failure of the server or of the network, with the aftermath added. */
export function withAftermath(failure: Failure, aftermath: string): Failure {
  const rule = rules.find(({ expression }) => expression.test(failure.message));
  if (rule !== undefined)
    return terminal(rule.reason, `${rule.advice} ${aftermath}${quoted(failure.message)}`, failure);
  return new Failure(failure.reason, `${failure.message} ${aftermath}`, {
    retryable: failure.retryable,
    cause: failure,
  });
}

function quoted(said: string): string {
  return said === '' ? '' : ` (It said: ${said.replaceAll(/\s*\n\s*/g, ' ').slice(0, 1500)})`;
}
