import type { RestoreDatabase } from '../../api/restore-request.ts';
import { conninfo } from '../../postgres/tools.ts';

export interface PgRestoreOptions {
  /** The dump's file or folder, an absolute path; undefined where it comes by standard input. */
  readonly archive: string | undefined;
  readonly format: 'Custom' | 'Directory' | 'Tar';
  readonly database: string;
  /** An absolute path; undefined for everything. */
  readonly listFile: string | undefined;
  readonly jobs: number;
  readonly content: RestoreDatabase['content'];
  readonly clean: boolean;
  readonly singleTransaction: boolean;
  readonly exitOnError: boolean;
  readonly disableTriggers: boolean;
  readonly noOwner: boolean;
  readonly noPrivileges: boolean;
  readonly noTablespaces: boolean;
  /** Empty for none. */
  readonly role: string;
}

/** The rest of the connection comes by the environment. Every value stands behind its option's `=`. */
export function pgRestoreArgs(options: PgRestoreOptions): readonly string[] {
  return [
    '--no-password',
    '--verbose',
    `--format=${options.format.toLowerCase()}`,
    `--dbname=${conninfo(options.database)}`,
    ...(options.listFile === undefined ? [] : [`--use-list=${options.listFile}`]),
    // One job is not a parallel restore, which could not be a single transaction.
    ...(options.jobs > 1 ? [`--jobs=${options.jobs}`] : []),
    ...contentArgs(options.content),
    ...(options.clean ? ['--clean', '--if-exists'] : []),
    ...(options.singleTransaction ? ['--single-transaction'] : []),
    ...(options.exitOnError ? ['--exit-on-error'] : []),
    ...(options.disableTriggers ? ['--disable-triggers'] : []),
    ...(options.noOwner ? ['--no-owner'] : []),
    ...(options.noPrivileges ? ['--no-privileges'] : []),
    ...(options.noTablespaces ? ['--no-tablespaces'] : []),
    ...(options.role === '' ? [] : [`--role=${options.role}`]),
    ...(options.archive === undefined ? [] : [options.archive]),
  ];
}

function contentArgs(content: RestoreDatabase['content']): readonly string[] {
  switch (content) {
    case 'All':
      return [];
    case 'SchemaOnly':
      return ['--schema-only'];
    case 'DataOnly':
      return ['--data-only'];
  }
}
