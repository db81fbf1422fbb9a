import type { RestoreDatabase } from '../../api/restore-request.ts';
import { terminal } from '../../domain/failure.ts';
import { type NamePattern, parseNamePattern } from '../backup/name-pattern.ts';
import type { ArchiveEntry } from './archive.ts';
import { isRelation } from './hangs-on.ts';
import { parseRelationPattern, type RelationPattern } from './relation-pattern.ts';

/** The schemas and tables that a person asks for. Tables are looked for within the schemas. */
export interface Choice {
  readonly everything: boolean;
  /** Whether tables are named, so that nothing else is meant. */
  readonly namesTables: boolean;
  readonly namesSchemas: boolean;
  readonly meansSchema: (schema: string) => boolean;
  readonly meansRelation: (schema: string, name: string) => boolean;
  /** Asked to be left out, by its own name or its schema's. */
  readonly excludes: (schema: string, name: string) => boolean;
}

type Patterns = Pick<RestoreDatabase, 'schemas' | 'tables'>;

/** Every pattern that includes something must match, or else it is a terminal NothingMatches. */
export function readChoice({ schemas, tables }: Patterns, entries: readonly ArchiveEntry[]): Choice {
  const inSchemas = schemas.include.map(named);
  const notSchemas = schemas.exclude.map(named);
  const inTables = tables.include.map(parseRelationPattern);
  const notTables = tables.exclude.map(parseRelationPattern);
  const meansSchema = (schema: string) =>
    (inSchemas.length === 0 || inSchemas.some(({ matches }) => matches(schema))) &&
    !notSchemas.some(({ matches }) => matches(schema));
  const excludes = (schema: string, name: string) =>
    !meansSchema(schema) || notTables.some(({ matches }) => matches(schema, name));
  const meansRelation = (schema: string, name: string) =>
    !excludes(schema, name) && (inTables.length === 0 || inTables.some(({ matches }) => matches(schema, name)));
  requireSchemas(inSchemas, entries);
  requireTables(inTables, entries, meansSchema, schemas.include);
  return {
    everything: [inSchemas, notSchemas, inTables, notTables].every(({ length }) => length === 0),
    namesTables: inTables.length > 0,
    namesSchemas: inSchemas.length > 0,
    meansSchema,
    meansRelation,
    excludes,
  };
}

type Named = NamePattern & { readonly text: string };

function named(text: string): Named {
  return { ...parseNamePattern(text), text };
}

function requireSchemas(patterns: readonly Named[], entries: readonly ArchiveEntry[]): void {
  const present = [...new Set(entries.flatMap(({ kind, name, schema }) => schema ?? (kind === 'SCHEMA' ? name : [])))];
  for (const { text, matches } of patterns) {
    if (present.some(matches)) continue;
    throw nothingMatches('schemas', text, present.toSorted());
  }
}

function requireTables(
  patterns: readonly RelationPattern[],
  entries: readonly ArchiveEntry[],
  meansSchema: (schema: string) => boolean,
  schemas: readonly string[],
): void {
  const present = entries.filter(isRelation).map(({ schema = '', name }) => ({ schema, name }));
  for (const { text, matches } of patterns) {
    const found = present.filter(({ schema, name }) => matches(schema, name));
    if (found.some(({ schema }) => meansSchema(schema))) continue;
    const [elsewhere] = found;
    if (elsewhere === undefined) throw nothingMatches('tables', text, present.map(qualified));
    throw terminal(
      'NothingMatches',
      `tables.include names ${text}, which is ${qualified(elsewhere)} in the backup, but ${schemas.length === 0 ? 'schemas.exclude leaves that schema out' : `schemas.include means ${schemas.join(', ')} only`}. Nothing was changed. Correct one of the two.`,
    );
  }
}

function qualified({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${asWritten(schema)}.${asWritten(name)}`;
}

/** As a pattern must have it. */
function asWritten(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const shown = 8;

function nothingMatches(field: string, pattern: string, names: readonly string[]) {
  const close = closest(pattern, names);
  return terminal(
    'NothingMatches',
    `${field}.include names ${pattern}, and the backup of this database has nothing of that name. Nothing was changed. ${
      names.length === 0
        ? `It has no ${field} at all.`
        : `The nearest names are ${close.join(', ')}${names.length > close.length ? ` (of ${names.length})` : ''}; letters mean lower case unless they stand between double quotes.`
    }`,
  );
}

function closest(pattern: string, names: readonly string[]): readonly string[] {
  const wanted = plain(pattern);
  return names
    .map((name) => ({ name, distance: distance(wanted, plain(name)) }))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, shown)
    .map(({ name }) => name);
}

/** A table's own name weighs more than its schema's. */
function plain(name: string): string {
  const bare = name.toLowerCase().replaceAll('"', '');
  return bare.slice(bare.lastIndexOf('.') + 1);
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
