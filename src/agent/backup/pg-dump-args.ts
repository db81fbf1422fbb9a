import type { Logical } from '../../api/logical.ts';

/**
 * pg_dump's arguments for a policy's choices. Connection and database come by the environment; every value stands behind
 * its option's `=`, so that no name can be read as an option. Compression is left to the stream.
 */
export function pgDumpArgs(
  logical: Logical,
  into: { readonly format: 'Custom' } | { readonly format: 'Directory'; readonly folder: string },
): readonly string[] {
  const { schemas, tables } = logical;
  return [
    '--no-password',
    '--compress=0',
    ...formatArgs(logical, into),
    ...contentArgs(logical),
    ...schemas.include.map((pattern) => `--schema=${pattern}`),
    ...schemas.exclude.map((pattern) => `--exclude-schema=${pattern}`),
    ...tables.include.map((pattern) => `--table=${pattern}`),
    ...tables.exclude.map((pattern) => `--exclude-table=${pattern}`),
    ...tables.excludeData.map((pattern) => `--exclude-table-data=${pattern}`),
    ...largeObjectArgs(logical),
    ...(logical.inserts ? ['--inserts'] : []),
    ...(logical.clean ? ['--clean'] : []),
    ...(logical.create ? ['--create'] : []),
    ...(logical.noOwner ? ['--no-owner'] : []),
    ...(logical.noPrivileges ? ['--no-privileges'] : []),
    ...logical.extraArgs,
  ];
}

function formatArgs(
  { jobs = 1 }: Logical,
  into: { readonly format: 'Custom' } | { readonly format: 'Directory'; readonly folder: string },
): readonly string[] {
  if (into.format === 'Custom') return ['--format=custom'];
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

/** A choice of schemas or tables silently leaves large objects out unless they are asked for. */
function largeObjectArgs({ largeObjects, content, schemas, tables }: Logical): readonly string[] {
  // The option's older name, which every supported major takes.
  if (largeObjects === 'Exclude') return ['--no-blobs'];
  const chosen = schemas.include.length > 0 || tables.include.length > 0;
  return chosen && content !== 'SchemaOnly' ? ['--blobs'] : [];
}
