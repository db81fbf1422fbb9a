import type { ArchiveEntry } from './archive.ts';
import type { DatabasePlan } from './plan-database.ts';

/** What is made and what goes, by name, for a dry run's reader: a line for each kind, the biggest things first. */
export function createLines({
  selection,
  targetName,
}: Pick<DatabasePlan, 'selection' | 'targetName'>): readonly string[] {
  const named = selection.entries.filter(({ kind }) => listed.has(kind));
  const byKind = Map.groupBy(named, ({ kind }) => kind);
  return [...listed].flatMap(([kind, words]) => {
    const entries = byKind.get(kind) ?? [];
    return entries.length === 0
      ? []
      : [`${words} in ${targetName} (${entries.length}): ${entries.map(nameOf).join(', ')}`];
  });
}

const listed: ReadonlyMap<string, string> = new Map([
  ['SCHEMA', 'create schemas'],
  ['EXTENSION', 'create extensions'],
  ['TYPE', 'create types'],
  ['DOMAIN', 'create domains'],
  ['FUNCTION', 'create functions'],
  ['PROCEDURE', 'create procedures'],
  ['SEQUENCE', 'create sequences'],
  ['TABLE', 'create tables'],
  ['FOREIGN TABLE', 'create foreign tables'],
  ['VIEW', 'create views'],
  ['MATERIALIZED VIEW', 'create materialized views'],
  ['TABLE DATA', 'fill tables'],
]);

const mostDropped = 50;

export function dropLines({
  present,
  presentBytes,
  targetName,
}: Pick<DatabasePlan, 'present' | 'presentBytes' | 'targetName'>): readonly string[] {
  const sized = present
    .flatMap((entry) => {
      const bytes = presentBytes.get(entry.id);
      return bytes === undefined ? [] : [{ entry, bytes }];
    })
    .toSorted((a, b) => b.bytes - a.bytes);
  const lines = sized
    .slice(0, mostDropped)
    .map(
      ({ entry, bytes }) => `drop ${entry.kind.toLowerCase()} ${nameOf(entry)} of ${targetName} (${mebibytes(bytes)})`,
    );
  return sized.length > mostDropped
    ? [...lines, `drop ${sized.length - mostDropped} smaller ones of ${targetName}`]
    : lines;
}

function nameOf({ schema, name }: ArchiveEntry): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
