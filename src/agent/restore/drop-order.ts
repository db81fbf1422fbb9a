import type { ArchiveEntry } from './archive.ts';
import type { ArchiveIndex } from './archive-index.ts';

/**
 * Puts the indexes and keys of partitioned tables behind those of their partitions. pg_restore --clean drops in the
 * reverse order, and the server lets go of a partition's index only with, or after, the one it is attached to.
 */
export function inDropOrder(index: ArchiveIndex, entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const attachments = entries.filter(({ kind }) => kind === 'INDEX ATTACH');
  const first = attachments[0];
  if (first === undefined) return entries;
  const childrenOf = Map.groupBy(
    attachments.flatMap((attachment) => {
      const child = index.holderOf(attachment);
      const parents = index.dependenciesOf(attachment).filter((other) => other !== child && isIndex(other));
      return child === undefined ? [] : parents.map((parent) => ({ parent, child }));
    }),
    ({ parent }) => parent,
  );
  const height = (entry: ArchiveEntry): number =>
    1 + Math.max(-1, ...(childrenOf.get(entry) ?? []).map(({ child }) => height(child)));
  const late = entries
    .filter((entry) => childrenOf.has(entry))
    .map((entry) => ({ entry, height: height(entry) }))
    .toSorted((a, b) => a.height - b.height)
    .flatMap(({ entry }) => [entry, ...index.partsOf(entry).filter(({ kind }) => kind === 'COMMENT')]);
  const present = new Set(entries);
  const moved = new Set(late);
  const rest = entries.filter((entry) => !moved.has(entry));
  const place = rest.indexOf(first);
  return [...rest.slice(0, place), ...late.filter((entry) => present.has(entry)), ...rest.slice(place)];
}

function isIndex({ kind }: ArchiveEntry): boolean {
  return kind === 'INDEX' || kind === 'CONSTRAINT';
}
