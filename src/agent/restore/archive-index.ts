import type { ArchiveEntry } from './archive.ts';
import { findHolders } from './hangs-on.ts';

/** The entries of an archive and how they hang together. */
export interface ArchiveIndex {
  readonly entries: readonly ArchiveEntry[];
  readonly byId: ReadonlyMap<number, ArchiveEntry>;
  /** What this is a part or a property of (hangs-on.ts), directly. */
  readonly holderOf: (entry: ArchiveEntry) => ArchiveEntry | undefined;
  /** The same at the end of the chain; itself where it stands alone. */
  readonly topOf: (entry: ArchiveEntry) => ArchiveEntry;
  readonly partsOf: (entry: ArchiveEntry) => readonly ArchiveEntry[];
  readonly dependenciesOf: (entry: ArchiveEntry) => readonly ArchiveEntry[];
}

export function indexArchive(entries: readonly ArchiveEntry[]): ArchiveIndex {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const holders = findHolders(entries);
  const parts = Map.groupBy(
    entries.filter(({ id }) => holders.has(id)),
    ({ id }) => holders.get(id),
  );
  const holderOf = ({ id }: ArchiveEntry) => byId.get(holders.get(id) ?? Number.NaN);
  const topOf = (entry: ArchiveEntry): ArchiveEntry => {
    let top = entry;
    for (let next = holderOf(top); next !== undefined && next !== entry; next = holderOf(top)) top = next;
    return top;
  };
  return {
    entries,
    byId,
    holderOf,
    topOf,
    partsOf: ({ id }) => parts.get(id) ?? [],
    dependenciesOf: ({ dependencies }) => [...new Set(dependencies)].flatMap((id) => byId.get(id) ?? []),
  };
}
