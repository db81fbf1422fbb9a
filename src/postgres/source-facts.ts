import type { ManifestDatabase } from '../domain/manifest.ts';
import type { Query } from './query.ts';

export type SourceFacts = Pick<ManifestDatabase, 'localeProvider' | 'extensions'>;

/** What a restore wants to know of the database that is connected to, and what a dump does not tell. */
export async function readSourceFacts(query: Query): Promise<SourceFacts> {
  const extensions = await query<{ name: string; version: string }>(
    'SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension ORDER BY 1',
  );
  const [row] = await query<{ facts: Readonly<Record<string, string | null | undefined>> }>(
    'SELECT pg_catalog.to_jsonb(d) AS facts FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()',
  );
  const localeProvider = providerOf(row?.facts ?? {});
  return { extensions: [...extensions], ...(localeProvider === undefined ? {} : { localeProvider }) };
}

/** The columns are those of PostgreSQL 15 (daticulocale), 16 (daticurules) and 17 (datlocale); before, there is libc only. */
function providerOf(facts: Readonly<Record<string, string | null | undefined>>): SourceFacts['localeProvider'] {
  const name = ({ i: 'icu', b: 'builtin' } as const)[facts['datlocprovider'] ?? ''];
  const locale = facts['datlocale'] ?? facts['daticulocale'] ?? undefined;
  if (name === undefined || locale === undefined) return undefined;
  const rules = facts['daticurules'] ?? undefined;
  return { name, locale, ...(rules === undefined ? {} : { rules }) };
}
