import { terminal } from '../../domain/failure.ts';
import type { ArchiveEntry } from './archive.ts';
import type { ArchiveIndex } from './archive-index.ts';
import { describeObject, listObjects } from './describe-object.ts';
import { isRelation } from './hangs-on.ts';
import { keysOf } from './object-key.ts';
import type { TargetCatalog } from './target-catalog.ts';

/**
 * Adds to `chosen` what its entries cannot be without and the target lacks: their schema, types, functions, extensions,
 * sequences. Tables and views that are missing are not added, because their rows were not asked for: a terminal failure
 * names them.
 */
export function addNeeded(index: ArchiveIndex, chosen: Set<number>, target: TargetCatalog): readonly ArchiveEntry[] {
  const schemas = new Map(index.entries.filter(({ kind }) => kind === 'SCHEMA').map((entry) => [entry.name, entry]));
  const added: ArchiveEntry[] = [];
  const missing: { readonly entry: ArchiveEntry; readonly needs: ArchiveEntry }[] = [];
  const queue = index.entries.filter(({ id }) => chosen.has(id));
  const add = (entry: ArchiveEntry) => {
    if (chosen.has(entry.id)) return;
    chosen.add(entry.id);
    added.push(entry);
    queue.push(entry);
    for (const part of index.partsOf(entry)) add(part);
  };
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
    const schema = schemas.get(entry.schema ?? '');
    if (schema !== undefined && !isThere(schema, target)) add(schema);
    for (const needs of index.dependenciesOf(entry)) {
      if (chosen.has(needs.id) || isThere(needs, target) || !isNeeded(entry, needs, index)) continue;
      if (isRelation(needs) && needs.kind !== 'SEQUENCE') missing.push({ entry, needs });
      else add(needs);
    }
  }
  if (missing.length > 0) throw missingDependency(missing);
  return added;
}

/** What cannot be looked for is taken to be there in a database that is in use. */
function isThere(entry: ArchiveEntry, target: TargetCatalog): boolean {
  const keys = keysOf(entry);
  return keys.length === 0 ? !target.isNew : keys.every(target.has);
}

/** Parts of other tables are theirs, and a partition is made without its parent. */
function isNeeded(entry: ArchiveEntry, needs: ArchiveEntry, index: ArchiveIndex): boolean {
  if (index.topOf(needs) !== needs && isRelation(index.topOf(needs))) return false;
  return !(entry.kind === 'TABLE' && needs.kind === 'TABLE' && isPartition(entry, index));
}

function isPartition(entry: ArchiveEntry, index: ArchiveIndex): boolean {
  return index.partsOf(entry).some(({ kind }) => kind === 'TABLE ATTACH');
}

function missingDependency(missing: readonly { readonly entry: ArchiveEntry; readonly needs: ArchiveEntry }[]) {
  const needs = [...new Set(missing.map((one) => one.needs))];
  const [first] = missing;
  const who = first === undefined ? 'What was asked for' : describeObject(first.entry);
  return terminal(
    'MissingDependency',
    `${who} cannot be restored without ${listObjects(needs)}, which ${needs.length === 1 ? 'is' : 'are'} neither in the target database nor asked for. Nothing was changed. Add ${needs.length === 1 ? 'it' : 'them'} to tables.include, or restore into a database that has ${needs.length === 1 ? 'it' : 'them'}.`,
  );
}
