import type { Extract } from '../../../api/pitr-recovery.ts';
import { Failure, terminal } from '../../../domain/failure.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { withConnection } from '../../../postgres/query.ts';
import { parseRelationPattern } from '../../restore/relation-pattern.ts';

type Wanted = Extract['databases'][number];

/**
 * Every database and every pattern of tables.include must be there in the recovered server: pg_dump takes what it finds,
 * and says nothing of one name among several that it does not find.
 */
export async function requireExtracted(
  databases: readonly Wanted[],
  access: ServerAccess,
  signal: AbortSignal,
): Promise<void> {
  const present = await withConnection(access, 'template1', signal, (query) =>
    query<{ readonly name: string }>(
      'SELECT datname AS name FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1',
    ),
  );
  for (const [index, { name, tables }] of databases.entries()) {
    if (!present.some((each) => each.name === name)) {
      throw terminal(
        'UnknownDatabase',
        `extract.databases[${index}] names the database ${name}, and the recovered server has none of that name: it has ${present.map((each) => each.name).join(', ')}. ${unchanged} Correct the name, or recover to a moment at which it was there.`,
      );
    }
    if (tables.include.length > 0) await requireTables(index, { name, tables }, access, signal);
  }
}

/** What the restore of the copied says, in the words of `extract`; what has been copied before it stays. */
export function inWordsOfExtract(
  error: unknown,
  { index, name }: { readonly index: number; readonly name: string },
  copied: readonly string[],
): unknown {
  if (!(error instanceof Failure)) return error;
  const { reason, message, retryable, cause } = error;
  const entry = `extract.databases[${index}]`;
  const [facts = '', ...rest] = message.split(' Nothing was changed.');
  const told =
    rest.length === 0 ? message : `${facts} ${unchanged} ${advice[reason]?.(entry) ?? rest.join(' ').trim()}`.trim();
  const before = copied.length === 0 ? '' : ` Before it, ${copied.join(', ')} had been copied; that stays.`;
  return new Failure(reason, `${entry} (${name}): ${told}${before}`, { retryable, cause });
}

const unchanged = 'Nothing was changed in the live server.';

/** Where the words of a restore name fields that `extract` does not have. */
const advice: Readonly<Record<string, (entry: string) => string>> = {
  TargetExists: (entry) =>
    `Copy into another database (${entry}.targetName), choose only the tables that are missing (${entry}.tables.include), or rename or drop in the live server what is to be replaced.`,
  TargetMissing: (entry) => `Make the database in the live server, or set ${entry}.create: true.`,
  RoleMissing: () => 'Make the roles in the live server first (CREATE ROLE), as the recovered one had them.',
  MissingDependency: (entry) =>
    `Add what is missing to ${entry}.tables.include, make it in the live server first, or copy the whole database beside the live one (targetName).`,
};

/** As pg_dump's --table takes them. */
const relations = `
  SELECT n.nspname AS schema, c.relname AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   ORDER BY 1, 2`;
const shown = 20;

async function requireTables(
  index: number,
  { name, tables }: Pick<Wanted, 'name' | 'tables'>,
  access: ServerAccess,
  signal: AbortSignal,
): Promise<void> {
  const present = await withConnection(access, name, signal, (query) =>
    query<{ readonly schema: string; readonly name: string }>(relations),
  );
  const lacking = tables.include.filter((pattern) => {
    const { matches } = parseRelationPattern(pattern);
    return !present.some((each) => matches(each.schema, each.name));
  });
  if (lacking.length === 0) return;
  const names = present.map((each) => `${asWritten(each.schema)}.${asWritten(each.name)}`);
  const more = names.length > shown ? ` and ${names.length - shown} more` : '';
  throw terminal(
    'NothingMatches',
    `extract.databases[${index}].tables.include names ${lacking.join(', ')}, and database ${name} of the recovered server has nothing of ${lacking.length === 1 ? 'that name' : 'those names'}. ${unchanged} It has ${names.length === 0 ? 'no tables at all' : `${names.slice(0, shown).join(', ')}${more}`}; letters mean lower case unless they stand between double quotes. Correct the pattern, or recover to a moment at which the table was there.`,
  );
}

/** As a pattern must have it. */
function asWritten(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
