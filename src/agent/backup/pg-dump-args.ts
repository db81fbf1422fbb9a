import type { Logical } from '../../api/logical.ts';

/** Where a dump goes: a pipe, or a folder of scratch. */
export type DumpTarget =
  | { readonly format: 'Plain' | 'Custom' | 'Tar' }
  | { readonly format: 'Directory'; readonly folder: string };

/**
 * A lock that is never given back would hold the backup until its deadline, and with it all the locks that it has got so
 * far. In milliseconds; the same option in extraArgs comes later, and counts.
 */
const lockWait = `--lock-wait-timeout=${3600 * 1000}`;

/**
 * pg_dump's arguments for a policy's choices. Connection and database come by the environment; every value stands behind
 * its option's `=`, so that no name can be read as an option. Compression is left to the stream.
 */
export function pgDumpArgs(logical: Logical, into: DumpTarget): readonly string[] {
  const { schemas, tables } = logical;
  return [
    '--no-password',
    '--compress=0',
    lockWait,
    ...formatArgs(logical, into),
    ...contentArgs(logical),
    ...schemas.include.map((pattern) => `--schema=${pattern}`),
    ...schemas.exclude.map((pattern) => `--exclude-schema=${pattern}`),
    ...tables.include.map((pattern) => `--table=${pattern}`),
    ...tables.exclude.map((pattern) => `--exclude-table=${pattern}`),
    ...tables.excludeData.map((pattern) => `--exclude-table-data=${pattern}`),
    ...largeObjectArgs(logical),
    ...(logical.inserts ? ['--inserts'] : []),
    ...(logical.clean ? ['--clean', '--if-exists'] : []),
    ...(logical.create ? ['--create'] : []),
    ...(logical.noOwner ? ['--no-owner'] : []),
    ...(logical.noPrivileges ? ['--no-privileges'] : []),
    ...logical.extraArgs,
  ];
}

function formatArgs({ jobs = 1 }: Logical, into: DumpTarget): readonly string[] {
  if (into.format !== 'Directory') return [`--format=${into.format.toLowerCase()}`];
  // The folder is scratch, read back once and removed: what must be durable is the repository.
  return ['--format=directory', `--file=${into.folder}`, `--jobs=${jobs}`, '--no-sync'];
}

function contentArgs({ content }: Logical): readonly string[] {
  switch (content) {
    case 'All':
      return [];
    case 'SchemaOnly':
      return ['--schema-only'];
    case 'DataOnly':
      return ['--data-only'];
  }
}

/**
 * Always said: a choice of schemas, tables or extensions leaves large objects out without a word. They are data, and
 * pg_dump before 17 would add them to definitions too. The options' older names, which every supported major takes.
 */
function largeObjectArgs({ largeObjects, content }: Logical): readonly string[] {
  if (largeObjects === 'Exclude') return ['--no-blobs'];
  return content === 'SchemaOnly' ? [] : ['--blobs'];
}
