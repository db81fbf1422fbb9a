import type { ArchiveEntry } from './archive.ts';

/** One call of pg_restore. */
export interface Pass {
  readonly entries: readonly ArchiveEntry[];
  readonly jobs: number;
}

/**
 * Attaching an index to that of the partitioned table locks both against every query of the tables, and the check of a
 * foreign key is such a query: side by side they end in a deadlock, which pg_restore does not know how to avoid. So no
 * other job runs while indexes are attached.
 */
export function passesOf(entries: readonly ArchiveEntry[], jobs: number): readonly Pass[] {
  const isAttachment = ({ kind }: ArchiveEntry) => kind === 'INDEX ATTACH';
  const first = entries.findIndex(isAttachment);
  if (jobs === 1 || first === -1) return [{ entries, jobs }];
  const end = entries.findLastIndex(isAttachment) + 1;
  const early = entries.slice(0, end);
  return [
    { entries: early.slice(0, first).filter((entry) => !comesLast(entry)), jobs },
    { entries: early.slice(first).filter((entry) => !comesLast(entry)), jobs: 1 },
    { entries: [...early.filter(comesLast), ...entries.slice(end)], jobs },
  ].filter((pass) => pass.entries.length > 0);
}

/** What pg_restore keeps for its end wherever it stands (pg_backup_archiver.c, _tocEntryRestorePass). */
function comesLast({ kind, name }: ArchiveEntry): boolean {
  return lastKinds.has(kind) || (['COMMENT', 'SECURITY LABEL'].includes(kind) && name.startsWith('EVENT TRIGGER '));
}

const lastKinds: ReadonlySet<string> = new Set([
  'ACL',
  'ACL LANGUAGE',
  'DEFAULT ACL',
  'EVENT TRIGGER',
  'MATERIALIZED VIEW DATA',
  'STATISTICS DATA',
]);
