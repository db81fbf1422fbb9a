import type { ManifestDatabase } from '../../domain/manifest.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import type { Query } from '../../postgres/query.ts';
import type { ArchiveEntry } from './archive.ts';
import { findWord, nameAt, type SqlStatement, splitStatements } from './sql-statements.ts';

type Source = Pick<ManifestDatabase, 'name' | 'encoding' | 'collate' | 'ctype' | 'localeProvider'>;

/** CREATE DATABASE as the source's was made; `owner` undefined for the role that makes it. */
export function createStatement(
  name: string,
  source: Source,
  entries: readonly ArchiveEntry[],
  owner: string | undefined,
): string {
  const options = [
    ['TEMPLATE', 'template0'],
    ['ENCODING', literal(source.encoding)],
    ['LC_COLLATE', literal(source.collate)],
    ['LC_CTYPE', literal(source.ctype)],
    ...providerOptions(entries, source),
    ...(owner === undefined ? [] : [['OWNER', quoteIdentifier(owner)]]),
  ];
  return `CREATE DATABASE ${quoteIdentifier(name)} ${options.map(([key, value]) => `${key} = ${value}`).join(' ')}`;
}

const providerKeys: ReadonlySet<string> = new Set(['ICU_LOCALE', 'ICU_RULES', 'BUILTIN_LOCALE']);

/** A locale provider other than libc, which servers before 15 have no word for. */
function providerOptions(entries: readonly ArchiveEntry[], { localeProvider }: Source): readonly (readonly string[])[] {
  const definition = entries.find(({ kind }) => kind === 'DATABASE')?.definition ?? '';
  const [statement] = splitStatements(definition);
  if (statement === undefined) return localeProvider === undefined ? [] : toldOptions(localeProvider);
  const value = (key: string) => statement.tokens[findWord(statement, key) + 2];
  const provider = findWord(statement, 'LOCALE_PROVIDER') === -1 ? undefined : value('LOCALE_PROVIDER')?.value;
  if (provider !== 'icu' && provider !== 'builtin') return [];
  const present = [...providerKeys].filter((key) => findWord(statement, key) !== -1);
  return [['LOCALE_PROVIDER', provider], ...present.map((key) => [key, literal(value(key)?.value ?? '')])];
}

function toldOptions({ name, locale, rules }: NonNullable<Source['localeProvider']>) {
  return [
    ['LOCALE_PROVIDER', name],
    [name === 'icu' ? 'ICU_LOCALE' : 'BUILTIN_LOCALE', literal(locale)],
    ...(rules === undefined ? [] : [['ICU_RULES', literal(rules)]]),
  ];
}

/** Never fails where there is none. Connections to it are ended. */
export async function dropDatabase(connect: ConnectTo, admin: string, name: string): Promise<void> {
  const subscriptions = await connect(admin, (query) =>
    query<{ name: string }>(
      `SELECT subname AS name FROM pg_catalog.pg_subscription s
         JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE datname = $1`,
      [name],
    ),
  );
  // The server keeps a database with subscriptions. Their slots stay: the same ones of the other database use them.
  if (subscriptions.length > 0) {
    await connect(name, async (query) => {
      for (const subscription of subscriptions.map((one) => quoteIdentifier(one.name))) {
        await query(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
        await query(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`);
        await query(`DROP SUBSCRIPTION ${subscription}`);
      }
    });
  }
  await connect(admin, (query) => query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`));
}

/** Connects to a database of the target. */
export type ConnectTo = <Result>(database: string, use: (query: Query) => Promise<Result>) => Promise<Result>;

/**
 * The statements that give a database the settings, comment and grants that the source had, which pg_restore leaves out.
 * They name the source; here they name `target`.
 */
export function propertyStatements(
  entries: readonly ArchiveEntry[],
  target: string,
  { noPrivileges }: { readonly noPrivileges: boolean },
): readonly string[] {
  const database = entries.find(({ kind }) => kind === 'DATABASE');
  if (database === undefined) return [];
  const own = entries.filter(
    ({ kind, dependencies }) =>
      kind === 'DATABASE PROPERTIES' ||
      ((kind === 'COMMENT' || (kind === 'ACL' && !noPrivileges)) && dependencies.includes(database.id)),
  );
  return own
    .flatMap(({ definition }) => splitStatements(definition))
    .flatMap((statement) => renamed(statement, database.name, target) ?? []);
}

/** undefined for what is not about this database, or would keep it from being renamed: a template. */
function renamed(statement: SqlStatement, from: string, to: string): string | undefined {
  if (findWord(statement, 'IS_TEMPLATE') !== -1 || findWord(statement, 'TABLESPACE') !== -1) return undefined;
  const place = statement.tokens.findIndex(
    ({ kind, value }, index) =>
      kind === 'Word' && value.toUpperCase() === 'DATABASE' && nameAt(statement, index + 1) === from,
  );
  const name = statement.tokens[place + 1];
  if (place === -1 || name === undefined) return undefined;
  return `${statement.text.slice(0, name.start)}${quoteIdentifier(to)}${statement.text.slice(name.end)}`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
