import type { Query } from '../../postgres/query.ts';
import type { ArchiveEntry } from './archive.ts';
import { keysOf, objectKey } from './object-key.ts';

/** What a database holds already, by object-key.ts. */
export interface TargetCatalog {
  readonly has: (key: string) => boolean;
  /** Whether an object of an archive is there; never true of one without a name of its own. */
  readonly holds: (entry: ArchiveEntry) => boolean;
  /** Nothing but what every new database has. */
  readonly isNew: boolean;
  /** ALTER DEFAULT PRIVILEGES was used: what is made here gets grants that the backup does not tell of. */
  readonly hasDefaultPrivileges: boolean;
}

const builtIn: ReadonlySet<string> = new Set([
  objectKey('schema', undefined, 'public'),
  objectKey('extension', undefined, 'plpgsql'),
  objectKey('language', undefined, 'plpgsql'),
]);

/** Of a database that this restore is going to make from template0. */
export const newDatabase: TargetCatalog = catalogOf(builtIn, { isNew: true, hasDefaultPrivileges: false });
export async function readTargetCatalog(
  query: Query,
  { largeObjects }: { readonly largeObjects: boolean },
): Promise<TargetCatalog> {
  // Types are written as pg_dump writes them, which has every name qualified.
  await query("SELECT pg_catalog.set_config('search_path', '', false)");
  const rows = await query<{ type: string; schema: string; name: string }>(
    largeObjects ? `${allObjects} ${allLargeObjects}` : allObjects,
  );
  const keys = new Set(rows.map(({ type, schema, name }) => objectKey(type, schema, name)));
  const [defaults] = await query<{ some: boolean }>('SELECT EXISTS (SELECT FROM pg_catalog.pg_default_acl) AS some');
  return catalogOf(keys, { isNew: false, hasDefaultPrivileges: defaults?.some === true });
}

function catalogOf(
  keys: ReadonlySet<string>,
  facts: Pick<TargetCatalog, 'isNew' | 'hasDefaultPrivileges'>,
): TargetCatalog {
  return { has: (key) => keys.has(key), holds: (entry) => keysOf(entry).some((key) => keys.has(key)), ...facts };
}

const own = "nspname !~ '^pg_' AND nspname <> 'information_schema'";
const allObjects = `
  SELECT 'relation' AS type, nspname AS schema, relname AS name
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE relkind <> 'c' AND relkind <> 't' AND ${own}
  UNION ALL
  SELECT 'type', nspname, typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = typnamespace
   WHERE ${own} AND (typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = typrelid AND relkind = 'c'))
  UNION ALL
  SELECT 'routine', nspname, proname || '(' || CASE WHEN prokind = 'a' AND pronargs = 0 THEN '*' ELSE
           coalesce((SELECT string_agg(format_type(argument, NULL), ', ' ORDER BY number)
                       FROM unnest(proargtypes) WITH ORDINALITY a (argument, number)), '') END || ')'
    FROM pg_catalog.pg_proc JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace WHERE ${own}
  UNION ALL
  SELECT 'constraint', nspname, relname || ' ' || conname
    FROM pg_catalog.pg_constraint JOIN pg_catalog.pg_class c ON c.oid = conrelid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE ${own}
  UNION ALL
  SELECT 'constraint', nspname, typname || ' ' || conname
    FROM pg_catalog.pg_constraint JOIN pg_catalog.pg_type t ON t.oid = contypid JOIN pg_catalog.pg_namespace n ON n.oid = typnamespace WHERE ${own}
  UNION ALL SELECT 'schema', '', nspname FROM pg_catalog.pg_namespace WHERE ${own}
  UNION ALL SELECT 'extension', '', extname FROM pg_catalog.pg_extension
  UNION ALL SELECT 'collation', nspname, collname FROM pg_catalog.pg_collation JOIN pg_catalog.pg_namespace n ON n.oid = collnamespace WHERE ${own}
  UNION ALL SELECT 'statistics', nspname, stxname FROM pg_catalog.pg_statistic_ext JOIN pg_catalog.pg_namespace n ON n.oid = stxnamespace WHERE ${own}
  UNION ALL SELECT 'text search configuration', nspname, cfgname FROM pg_catalog.pg_ts_config JOIN pg_catalog.pg_namespace n ON n.oid = cfgnamespace WHERE ${own}
  UNION ALL SELECT 'text search dictionary', nspname, dictname FROM pg_catalog.pg_ts_dict JOIN pg_catalog.pg_namespace n ON n.oid = dictnamespace WHERE ${own}
  UNION ALL SELECT 'text search parser', nspname, prsname FROM pg_catalog.pg_ts_parser JOIN pg_catalog.pg_namespace n ON n.oid = prsnamespace WHERE ${own}
  UNION ALL SELECT 'text search template', nspname, tmplname FROM pg_catalog.pg_ts_template JOIN pg_catalog.pg_namespace n ON n.oid = tmplnamespace WHERE ${own}
  UNION ALL SELECT 'language', '', lanname FROM pg_catalog.pg_language
  UNION ALL SELECT 'access method', '', amname FROM pg_catalog.pg_am
  UNION ALL SELECT 'foreign data wrapper', '', fdwname FROM pg_catalog.pg_foreign_data_wrapper
  UNION ALL SELECT 'server', '', srvname FROM pg_catalog.pg_foreign_server
  UNION ALL SELECT 'publication', '', pubname FROM pg_catalog.pg_publication
  UNION ALL SELECT 'event trigger', '', evtname FROM pg_catalog.pg_event_trigger`;
// There may be millions.
const allLargeObjects = "UNION ALL SELECT 'large object', '', oid::text FROM pg_catalog.pg_largeobject_metadata";
