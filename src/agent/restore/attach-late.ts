import type { ArchiveEntry } from './archive.ts';
import type { ArchiveIndex } from './archive-index.ts';
import { isRelation } from './hangs-on.ts';

export interface Ordered {
  readonly entries: readonly ArchiveEntry[];
  /** Only one job keeps to the order. */
  readonly inOrderOnly: boolean;
}

/**
 * Puts the attachment of a partition to a parent that stays where it is behind the partition's indexes. Attaching makes
 * the indexes that are missing, which pg_restore would then make again; those that are there it takes over.
 */
export function attachLate(index: ArchiveIndex, entries: readonly ArchiveEntry[]): Ordered {
  const chosen = new Set(entries.map(({ id }) => id));
  const isOuter = (entry: ArchiveEntry) =>
    index
      .dependenciesOf(entry)
      .some((other) => other !== index.holderOf(entry) && isRelation(other) && !chosen.has(other.id));
  const late = entries.filter((entry) => entry.kind === 'TABLE ATTACH' && isOuter(entry));
  if (late.length === 0) return { entries, inOrderOnly: false };
  // Attaching the table attaches its indexes.
  const rest = entries.filter((entry) => !late.includes(entry) && !(entry.kind === 'INDEX ATTACH' && isOuter(entry)));
  const after = rest.findLastIndex(({ kind }) => beforeAttaching.has(kind)) + 1;
  return { entries: [...rest.slice(0, after), ...late, ...rest.slice(after)], inOrderOnly: true };
}

const beforeAttaching: ReadonlySet<string> = new Set([
  'TABLE',
  'TABLE ATTACH',
  'TABLE DATA',
  'CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
]);
