import type { ArchiveEntry } from './archive.ts';
import type { ArchiveIndex } from './archive-index.ts';
import { isRelation } from './hangs-on.ts';
import { keysOf } from './object-key.ts';
import type { TargetCatalog } from './target-catalog.ts';

export interface LeftOut {
  readonly entry: ArchiveEntry;
  /** What it needs, and what is neither restored nor there. */
  readonly without: ArchiveEntry;
}

/**
 * Adds the foreign keys of tables that stay where they are: dropping a table takes along those that point at it. With
 * `replacing` also those that are there, since they hold what is to be dropped.
 */
export function incomingForeignKeys(
  index: ArchiveIndex,
  chosen: Set<number>,
  target: TargetCatalog,
  replacing: boolean,
): void {
  for (const key of index.entries) {
    if (key.kind !== 'FK CONSTRAINT' || chosen.has(key.id)) continue;
    const table = index.holderOf(key);
    if (table === undefined || chosen.has(table.id) || !target.holds(table)) continue;
    // A key to a partitioned table depends on the indexes of its partitions too, and goes when one of them is dropped.
    const pointsAtChosen = index.dependenciesOf(key).some((other) => chosen.has(index.topOf(other).id));
    if (!pointsAtChosen || (target.holds(key) && !replacing)) continue;
    chosen.add(key.id);
    for (const part of index.partsOf(key)) chosen.add(part.id);
  }
}

/** Ties to another object: of no use, and not possible, without it. */
const ties: ReadonlySet<string> = new Set(['FK CONSTRAINT', 'TABLE ATTACH', 'INDEX ATTACH', 'PUBLICATION TABLE']);

/** Takes out what ties a chosen table to another one that is neither chosen nor in the target. */
export function leaveOutUnfitting(index: ArchiveIndex, chosen: Set<number>, target: TargetCatalog): readonly LeftOut[] {
  const leftOut: LeftOut[] = [];
  const present = (entry: ArchiveEntry) => chosen.has(entry.id) || target.holds(entry);
  for (const entry of index.entries) {
    if (!chosen.has(entry.id) || !ties.has(entry.kind)) continue;
    const absent = index.dependenciesOf(entry).filter((other) => keysOf(other).length > 0 && !present(other));
    const without = absent.find(isRelation) ?? absent[0];
    if (without === undefined) continue;
    remove(index, chosen, entry);
    leftOut.push({ entry, without });
  }
  return leftOut;
}

function remove(index: ArchiveIndex, chosen: Set<number>, entry: ArchiveEntry): void {
  chosen.delete(entry.id);
  for (const part of index.partsOf(entry)) remove(index, chosen, part);
}
