import type { ArchiveEntry } from './archive.ts';

/** What an object is known by, in an archive and in a database's catalogue alike. */
export function objectKey(type: string, schema: string | undefined, name: string): string {
  return [type, schema ?? '', name].join('\0');
}

/** undefined for what has no name of its own to look for: data, grants, comments, casts, … */
export function keysOf({ kind, schema, name, definition }: ArchiveEntry): readonly string[] {
  const type = types[kind];
  if (type !== undefined) return [objectKey(type, schema, name)];
  if (kind === 'BLOB') return [objectKey('large object', undefined, name)];
  // PostgreSQL 17 and later: many in one entry, which lists their OIDs.
  if (kind === 'BLOB METADATA')
    return definition.match(/\d+/g)?.map((oid) => objectKey('large object', undefined, oid)) ?? [];
  return [];
}

/** As target-catalog.ts names them. */
const types: Readonly<Record<string, string>> = {
  TABLE: 'relation',
  'FOREIGN TABLE': 'relation',
  VIEW: 'relation',
  'MATERIALIZED VIEW': 'relation',
  SEQUENCE: 'relation',
  INDEX: 'relation',
  TYPE: 'type',
  'SHELL TYPE': 'type',
  DOMAIN: 'type',
  FUNCTION: 'routine',
  PROCEDURE: 'routine',
  AGGREGATE: 'routine',
  SCHEMA: 'schema',
  EXTENSION: 'extension',
  COLLATION: 'collation',
  'CHECK CONSTRAINT': 'constraint',
  CONSTRAINT: 'constraint',
  'FK CONSTRAINT': 'constraint',
  'PROCEDURAL LANGUAGE': 'language',
  'FOREIGN DATA WRAPPER': 'foreign data wrapper',
  SERVER: 'server',
  PUBLICATION: 'publication',
  SUBSCRIPTION: 'subscription',
  'EVENT TRIGGER': 'event trigger',
  'ACCESS METHOD': 'access method',
  'TEXT SEARCH CONFIGURATION': 'text search configuration',
  'TEXT SEARCH DICTIONARY': 'text search dictionary',
  'TEXT SEARCH PARSER': 'text search parser',
  'TEXT SEARCH TEMPLATE': 'text search template',
  STATISTICS: 'statistics',
};
