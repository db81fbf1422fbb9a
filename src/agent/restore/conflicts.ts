import { terminal } from '../../domain/failure.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import type { Query } from '../../postgres/query.ts';
import type { ArchiveEntry } from './archive.ts';
import { describeObject, listObjects } from './describe-object.ts';
import { objectKey } from './object-key.ts';
import type { TargetCatalog } from './target-catalog.ts';

/** onConflict Fail: nothing that is to be made may be there. */
export function requireNoConflict(entries: readonly ArchiveEntry[], target: TargetCatalog, database: string): void {
  const conflicts = entries.filter((entry) => !isHarmless(entry) && target.holds(entry));
  if (conflicts.length === 0) return;
  throw terminal(
    'TargetExists',
    `Database ${database} already has ${conflicts.length} of the objects to be restored: ${listObjects(conflicts)}. Nothing was changed. Restore into another database (targetName), choose only what is missing (tables, schemas), or set onConflict: Clean to drop these objects first or onConflict: Replace to put a new database in the place of this one.`,
  );
}

/** pg_dump writes CREATE EXTENSION IF NOT EXISTS, and never CREATE SCHEMA public. */
function isHarmless({ kind, name }: ArchiveEntry): boolean {
  return kind === 'EXTENSION' || (kind === 'SCHEMA' && name === 'public');
}

/** content DataOnly: the tables are there, and are empty, so that no row is there twice. */
export async function requireEmptyTables(
  entries: readonly ArchiveEntry[],
  target: TargetCatalog,
  database: string,
  query: Query,
): Promise<void> {
  const tables = entries.filter(({ kind }) => kind === 'TABLE DATA');
  const missing = tables.filter(({ schema, name }) => !target.has(objectKey('relation', schema, name)));
  if (missing.length > 0) {
    throw terminal(
      'MissingDependency',
      `content: DataOnly needs the tables to be there, and database ${database} lacks ${missing.length} of them: ${missing.slice(0, 6).map(nameOf).join(', ')}. Nothing was changed. Restore with content: All, or make the tables first.`,
    );
  }
  const filled: string[] = [];
  for (const table of tables) {
    const relation = `${quoteIdentifier(table.schema ?? 'public')}.${quoteIdentifier(table.name)}`;
    const [row] = await query<{ filled: boolean }>(`SELECT EXISTS (SELECT FROM ONLY ${relation}) AS filled`);
    if (row?.filled === true) filled.push(nameOf(table));
  }
  if (filled.length === 0) return;
  throw terminal(
    'TargetExists',
    `content: DataOnly would add the rows of the backup to those of ${filled.length} tables of database ${database} that have rows already: ${filled.slice(0, 6).join(', ')}. Nothing was changed. Empty them first (TRUNCATE), leave them out (tables.exclude), or use content: All with onConflict: Clean.`,
  );
}

function nameOf({ schema, name }: ArchiveEntry): string {
  return `${schema ?? 'public'}.${name}`;
}

/** Objects of a schema that neither the target nor this restore has. */
export function requireSchemas(entries: readonly ArchiveEntry[], target: TargetCatalog, database: string): void {
  const made = new Set(entries.flatMap(({ kind, name }) => (kind === 'SCHEMA' ? [name] : [])));
  const homeless = entries.find(
    ({ schema }) => schema !== undefined && !made.has(schema) && !target.has(objectKey('schema', undefined, schema)),
  );
  if (homeless === undefined) return;
  throw terminal(
    'MissingDependency',
    `${describeObject(homeless)} belongs into the schema ${homeless.schema}, which database ${database} does not have and the backup does not make. Nothing was changed. Run in that database: CREATE SCHEMA ${quoteIdentifier(homeless.schema ?? '')};`,
  );
}
