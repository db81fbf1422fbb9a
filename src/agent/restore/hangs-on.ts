import type { ArchiveEntry } from './archive.ts';

/** What stands for itself in a choice of tables. */
const relationKinds: ReadonlySet<string> = new Set(['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW', 'SEQUENCE']);

export function isRelation({ kind }: ArchiveEntry): boolean {
  return relationKinds.has(kind);
}

/**
 * For each entry that is a part or a property of another one, the ID of that one: a table's data, indexes, constraints,
 * triggers, comments, grants, its own sequences. pg_restore's --table leaves them all behind.
 */
export function findHolders(entries: readonly ArchiveEntry[]): ReadonlyMap<number, number> {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return new Map(
    entries.flatMap((entry) => {
      const dependencies = entry.dependencies.flatMap((id) => byId.get(id) ?? []);
      const holder = holderOf(entry, dependencies);
      return holder === undefined ? [] : [[entry.id, holder.id] as const];
    }),
  );
}

function holderOf(entry: ArchiveEntry, dependencies: readonly ArchiveEntry[]): ArchiveEntry | undefined {
  switch (entry.kind) {
    case 'SEQUENCE':
      // A sequence depends on a table only where a column owns it.
      return dependencies.find(({ kind }) => kind === 'TABLE' || kind === 'FOREIGN TABLE');
    case 'SEQUENCE SET':
    case 'SEQUENCE OWNED BY':
    case 'TABLE DATA':
    case 'MATERIALIZED VIEW DATA':
    case 'ROW SECURITY':
    case 'TABLE ATTACH':
      return dependencies.find((other) => isRelation(other) && sameName(entry, other));
    case 'DEFAULT':
    case 'CONSTRAINT':
    case 'CHECK CONSTRAINT':
    case 'FK CONSTRAINT':
    case 'TRIGGER':
    case 'RULE':
    case 'POLICY':
      return nameBefore(entry, dependencies);
    case 'INDEX':
    case 'STATISTICS':
    case 'STATISTICS DATA':
    case 'PUBLICATION TABLE':
      return dependencies.find(isRelation);
    case 'PUBLICATION TABLES IN SCHEMA':
      return dependencies.find(({ kind }) => kind === 'SCHEMA');
    case 'INDEX ATTACH':
      return dependencies.find((other) => isIndexNamed(entry.name, other));
    case 'COMMENT':
    case 'SECURITY LABEL':
    case 'ACL':
      return dependencies.find(({ kind }) => kind !== 'ACL');
    case 'BLOBS':
      return undefined;
    default:
      return undefined;
  }
}

function sameName(entry: ArchiveEntry, other: ArchiveEntry): boolean {
  return other.name === entry.name && other.schema === entry.schema;
}

/** The name is `table part`; both may have spaces, so that the longest table that fits is meant. */
function nameBefore(entry: ArchiveEntry, dependencies: readonly ArchiveEntry[]): ArchiveEntry | undefined {
  return dependencies
    .filter((other) => isRelation(other) || other.kind === 'DOMAIN')
    .filter((other) => other.schema === entry.schema && entry.name.startsWith(`${other.name} `))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
}

function isIndexNamed(name: string, { kind, name: other }: ArchiveEntry): boolean {
  return kind === 'INDEX' ? other === name : kind === 'CONSTRAINT' && other.endsWith(` ${name}`);
}
