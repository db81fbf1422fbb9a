import type { RestoreRequestStatus } from '../../api/restore-request.ts';
import type { Query } from '../../postgres/query.ts';
import type { DatabasePlan } from './plan-database.ts';

export type RestoredExtension = NonNullable<NonNullable<RestoreRequestStatus['restored']>['extensions']>[number];

/** The extensions that this restore brought, in the version that the target's files gave them: a dump names none. */
export async function readExtensions(
  { selection, source, targetName }: Pick<DatabasePlan, 'selection' | 'source' | 'targetName'>,
  query: Query,
): Promise<readonly RestoredExtension[]> {
  const names = selection.entries.flatMap(({ kind, name }) => (kind === 'EXTENSION' ? [name] : []));
  if (names.length === 0) return [];
  const rows = await query<{ name: string; version: string }>(
    'SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension WHERE extname = ANY ($1::text[]) ORDER BY 1',
    [names],
  );
  return rows.map(({ name, version }) => {
    const sourceVersion = source.extensions?.find((one) => one.name === name)?.version;
    return { database: targetName, name, version, ...(sourceVersion === undefined ? {} : { sourceVersion }) };
  });
}
