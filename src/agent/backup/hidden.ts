import type { Query } from '../../postgres/query.ts';

/** What the server keeps from pg_dump without a word where the role is no superuser. */
export async function findHidden(query: Query): Promise<readonly string[]> {
  const [row] = await query<{ readonly mappings: number }>(`
    SELECT count(*)::integer AS mappings
      FROM pg_catalog.pg_user_mappings
     WHERE umoptions IS NULL AND NOT pg_catalog.current_setting('is_superuser')::boolean`);
  const mappings = row?.mappings ?? 0;
  return mappings === 0
    ? []
    : [
        `${mappings} user mapping${mappings === 1 ? ' is' : 's are'} dumped without options such as passwords, which only a superuser or the foreign server's owner may read`,
      ];
}
