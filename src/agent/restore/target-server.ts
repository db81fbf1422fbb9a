import type { Query } from '../../postgres/query.ts';
import { type Database, listDatabases } from '../backup/databases.ts';

/** What a restore has to know of the server that it writes into. */
export interface TargetServer {
  readonly databases: ReadonlyMap<string, Database>;
  readonly roles: ReadonlySet<string>;
  readonly tablespaces: ReadonlySet<string>;
  /** Extensions whose files are there. */
  readonly extensions: ReadonlySet<string>;
  /** Those that they would be made in. */
  readonly extensionVersions: ReadonlyMap<string, string>;
  readonly isSuperuser: boolean;
  readonly mayCreateDatabases: boolean;
}

export async function readTargetServer(query: Query): Promise<TargetServer> {
  const databases = await listDatabases(query);
  const names = async (sql: string) => new Set((await query<{ name: string }>(sql)).map(({ name }) => name));
  const [me] = await query<{ super: boolean; create: boolean }>(
    'SELECT rolsuper AS super, rolcreatedb AS create FROM pg_catalog.pg_roles WHERE rolname = current_user',
  );
  const extensions = await query<{ name: string; version: string }>(
    'SELECT name, default_version AS version FROM pg_catalog.pg_available_extensions',
  );
  return {
    databases: new Map(databases.map((database) => [database.name, database])),
    roles: await names('SELECT rolname AS name FROM pg_catalog.pg_roles'),
    tablespaces: await names('SELECT spcname AS name FROM pg_catalog.pg_tablespace'),
    extensions: new Set(extensions.map(({ name }) => name)),
    extensionVersions: new Map(extensions.map(({ name, version }) => [name, version])),
    isSuperuser: me?.super === true,
    mayCreateDatabases: me?.super === true || me?.create === true,
  };
}
