import type { RestoreDatabase } from '../../api/restore-request.ts';
import type { ArchiveEntry } from './archive.ts';
import { type ArchiveIndex, indexArchive } from './archive-index.ts';
import { attachLate } from './attach-late.ts';
import { type Choice, readChoice } from './choice.ts';
import { incomingForeignKeys, type LeftOut, leaveOutUnfitting } from './fitting.ts';
import { isRelation } from './hangs-on.ts';
import { addNeeded } from './needed.ts';
import type { TargetCatalog } from './target-catalog.ts';

/** What is restored of one database's archive. */
export interface Selection {
  /** In the order of their restore, without what pg_restore does of itself. */
  readonly entries: readonly ArchiveEntry[];
  /** Nothing was chosen: the whole database, large objects included. */
  readonly whole: boolean;
  /** Not asked for, but what was asked for cannot be without it, and the target does not have it. */
  readonly added: readonly ArchiveEntry[];
  /** Belongs to what was asked for, but cannot be restored into this target. */
  readonly leftOut: readonly LeftOut[];
  /** The entries are not in the archive's order, and parallel jobs would not keep to theirs. */
  readonly inOrderOnly: boolean;
}

type Asked = Pick<RestoreDatabase, 'schemas' | 'tables' | 'content' | 'sections' | 'onConflict'>;

/** Rejects with NothingMatches for a pattern without a match, and with MissingDependency where it cannot work. */
export function selectObjects(entries: readonly ArchiveEntry[], asked: Asked, target: TargetCatalog): Selection {
  const index = indexArchive(entries);
  const choice = readChoice(asked, entries);
  const isAskedFor = contentFilter(entries, asked);
  const content = (selected: readonly ArchiveEntry[]) => selected.filter(isAskedFor);
  if (choice.everything) {
    return {
      entries: content(entries.filter((entry) => isOwn(index, entry))),
      whole: asked.sections.length === 0,
      added: [],
      leftOut: [],
      inOrderOnly: false,
    };
  }
  const chosen = withPartitions(index, choice, askedFor(index, choice, target));
  if (asked.content !== 'DataOnly') incomingForeignKeys(index, chosen, target, asked.onConflict === 'Clean');
  const leftOut = leaveOutUnfitting(index, chosen, target);
  const added = asked.content === 'DataOnly' ? [] : addNeeded(index, chosen, target);
  const ordered = attachLate(
    index,
    entries.filter(({ id }) => chosen.has(id)),
  );
  return {
    entries: content(ordered.entries),
    inOrderOnly: ordered.inOrderOnly,
    whole: false,
    added: content(added),
    leftOut: leftOut.filter(({ entry }) => isAskedFor(entry)),
  };
}

/** pg_restore does these itself, or only with --create. */
const specialKinds: ReadonlySet<string> = new Set([
  'ENCODING',
  'STDSTRINGS',
  'SEARCHPATH',
  'DATABASE',
  'DATABASE PROPERTIES',
]);

function isOwn(index: ArchiveIndex, entry: ArchiveEntry): boolean {
  return !specialKinds.has(index.topOf(entry).kind);
}

/** As pg_restore's --section, --schema-only and --data-only take it. */
function contentFilter(
  entries: readonly ArchiveEntry[],
  { content, sections }: Asked,
): (entry: ArchiveEntry) => boolean {
  if (sections.length > 0) {
    const known = sectionsOf(entries);
    return ({ id }) => sections.some((each) => each === known.get(id));
  }
  return ({ kind, section }) => {
    const isData = section === 'Data' || kind.startsWith('BLOB');
    return content === 'All' || isData === (content === 'DataOnly');
  };
}

/** A comment, a right or a label goes with what comes before it (pg_backup_archiver.c, ProcessArchiveRestoreOptions). */
function sectionsOf(entries: readonly ArchiveEntry[]): ReadonlyMap<number, ArchiveEntry['section']> {
  const known = new Map<number, ArchiveEntry['section']>();
  let current: ArchiveEntry['section'] = 'PreData';
  for (const { id, section } of entries) {
    if (section !== 'Special') current = section;
    known.set(id, current);
  }
  return known;
}

function askedFor(index: ArchiveIndex, choice: Choice, target: TargetCatalog): Set<number> {
  const chosen = new Set<number>();
  for (const entry of index.entries) {
    const top = index.topOf(entry);
    if (!isOwn(index, entry)) continue;
    if (isAsked(top, choice, target) || (isRelation(entry) && isAskedByName(entry, choice))) {
      addWithParts(index, chosen, entry);
    }
  }
  return chosen;
}

function isAskedByName({ schema = '', name }: ArchiveEntry, choice: Choice): boolean {
  return choice.namesTables && choice.meansRelation(schema, name);
}

function isAsked(top: ArchiveEntry, choice: Choice, target: TargetCatalog): boolean {
  if (isRelation(top)) return choice.meansRelation(top.schema ?? '', top.name);
  if (choice.namesTables) return false;
  // What is there already stays: it is only the place of what was asked for.
  if (top.kind === 'SCHEMA') return choice.meansSchema(top.name) && !target.holds(top);
  if (top.schema !== undefined) return choice.meansSchema(top.schema);
  return !choice.namesSchemas && !(top.kind === 'EXTENSION' && target.holds(top));
}

function addWithParts(index: ArchiveIndex, chosen: Set<number>, entry: ArchiveEntry): void {
  if (chosen.has(entry.id)) return;
  chosen.add(entry.id);
  for (const part of index.partsOf(entry)) addWithParts(index, chosen, part);
}

/** A partitioned table is its partitions. */
function withPartitions(index: ArchiveIndex, choice: Choice, chosen: Set<number>): Set<number> {
  const attachments = index.entries.filter(({ kind }) => kind === 'TABLE ATTACH');
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    for (const attachment of attachments) {
      const partition = index.holderOf(attachment);
      if (partition === undefined || choice.excludes(partition.schema ?? '', partition.name)) continue;
      const parents = index.dependenciesOf(attachment).filter((other) => isRelation(other) && other !== partition);
      if (parents.some(({ id }) => chosen.has(id))) addWithParts(index, chosen, partition);
    }
  }
  return chosen;
}
