import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { TestServer } from '../../support/postgres/server.ts';

/** All that pg_dump tells of a database, rows included. */
export async function stateOf(server: TestServer, database: string, ...args: readonly string[]): Promise<string> {
  return tell(server, 'pg_dump', [...args], database);
}

/** All of the server: what is equal before and after was not touched. */
export async function stateOfAll(server: TestServer): Promise<string> {
  return tell(server, 'pg_dumpall', [], 'postgres');
}

async function tell(server: TestServer, tool: string, args: readonly string[], database: string): Promise<string> {
  const { stdout } = await execa(join(server.bin, tool), [...args], {
    env: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.superuser,
      PGPASSWORD: server.password,
      PGDATABASE: database,
    },
  });
  // A random key against scripts that break out of psql.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/** Name, number of rows and digest of every table, sequence and all large objects. */
export async function fingerprint({ psql }: TestServer, database: string): Promise<string> {
  return psql(await readFile('test/support/data/fingerprint.sql', 'utf8'), database);
}

export async function databases({ psql }: TestServer): Promise<readonly string[]> {
  return (await psql('select datname from pg_database order by 1')).split('\n');
}
