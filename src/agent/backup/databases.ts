import type { Logical } from '../../api/logical.ts';
import { terminal } from '../../domain/failure.ts';
import type { Query } from '../../postgres/query.ts';
import { type NamePattern, parseNamePattern } from './name-pattern.ts';

export interface Database {
  readonly oid: number;
  readonly name: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly owner: string;
  /** pg_database_size(); 0 where the role may not ask. */
  readonly bytes: number;
  readonly isTemplate: boolean;
  readonly allowsConnections: boolean;
  /** A DROP DATABASE of it was interrupted: nothing can be done with it but to drop it (datconnlimit = -2). */
  readonly isHalfDropped: boolean;
}

/** Every database of the server, by name. */
export async function listDatabases(query: Query): Promise<readonly Database[]> {
  const rows = await query<Omit<Database, 'bytes'> & { readonly bytes: string }>(`
    SELECT oid,
           datname AS name,
           pg_catalog.pg_encoding_to_char(encoding) AS encoding,
           datcollate AS "collate",
           datctype AS ctype,
           pg_catalog.pg_get_userbyid(datdba) AS owner,
           datistemplate AS "isTemplate",
           datallowconn AS "allowsConnections",
           datconnlimit = -2 AS "isHalfDropped",
           CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT')
                THEN pg_catalog.pg_database_size(oid) ELSE 0 END AS bytes
      FROM pg_catalog.pg_database
     ORDER BY datname COLLATE "C"`);
  return rows.map((row) => ({ ...row, bytes: Number(row.bytes) }));
}

/**
 * Those that the policy means. Templates, databases without connections and what a DROP DATABASE has left are never meant
 * by a wildcard; a name that is spelled out must exist, since a backup without it would pass for one that has it.
 */
export function chooseDatabases(
  all: readonly Database[],
  { include, exclude }: Logical['databases'],
): readonly Database[] {
  const candidates = all.filter(
    ({ isTemplate, allowsConnections, isHalfDropped }) => !isTemplate && allowsConnections && !isHalfDropped,
  );
  const included = include.map(parseNamePattern);
  const excluded = exclude.map(parseNamePattern);
  for (const { literal } of included) requireExistence(literal, all, candidates);
  const chosen = candidates.filter(({ name }) => anyMatches(included, name) && !anyMatches(excluded, name));
  if (chosen.length > 0) return chosen;
  throw terminal(
    'NothingToBackUp',
    `No database matches logical.databases (include ${list(include)}, exclude ${list(exclude)}). The server has ${list(candidates.map(({ name }) => name))}; correct the patterns.`,
  );
}

/** Whether its name is spelled out, so that a backup without it is none. */
export function isNamed({ include }: Logical['databases'], name: string): boolean {
  return include.some((pattern) => parseNamePattern(pattern).literal === name);
}

function requireExistence(name: string | undefined, all: readonly Database[], candidates: readonly Database[]): void {
  if (name === undefined || candidates.some((candidate) => candidate.name === name)) return;
  const there = all.find((database) => database.name === name);
  if (there !== undefined) {
    throw terminal(
      'DatabaseNotFound',
      `logical.databases.include names ${name}, which ${hindrance(there)} and cannot be backed up. Take it out of the list.`,
    );
  }
  const similar = all.find((database) => database.name.toLowerCase() === name.toLowerCase());
  throw terminal(
    'DatabaseNotFound',
    similar === undefined
      ? `logical.databases.include names ${name}, and the server has no such database: it has ${list(candidates.map((candidate) => candidate.name))}. Correct the name, or make the database.`
      : `logical.databases.include means ${name}, and the server has ${similar.name}. Letters mean lower case unless they are quoted: write '"${similar.name.replaceAll('"', '""')}"'.`,
  );
}

function hindrance({ isTemplate, isHalfDropped }: Database): string {
  if (isTemplate) return 'is a template';
  return isHalfDropped ? 'was dropped half-way (finish it: DROP DATABASE)' : 'allows no connections';
}

function anyMatches(patterns: readonly NamePattern[], name: string): boolean {
  return patterns.some(({ matches }) => matches(name));
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return `[${names.length > 20 ? `${shown}, … ${names.length - 20} more` : shown}]`;
}
