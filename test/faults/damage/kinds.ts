/** What a stored object is, by its key; the table of docs/faults/damage.md has each of them. */
export type ObjectKind =
  | 'manifest'
  | 'started'
  | 'hold'
  | 'dump'
  | 'contents'
  | 'globals'
  | 'base'
  | 'backup_manifest'
  | 'file list'
  | 'WAL of the backup'
  | 'history file'
  | 'WAL'
  | 'WAL index';

const kinds: readonly (readonly [ObjectKind, RegExp])[] = [
  ['manifest', /\/backups\/[^/]+\/manifest\.json$/],
  ['started', /\/backups\/[^/]+\/started\.json$/],
  ['hold', /\/backups\/[^/]+\/hold\.json$/],
  ['dump', /\/databases\/[^/]+\/(dump|chunk-\d+)\.[a-z.0-9]+$/],
  ['contents', /\/databases\/[^/]+\/contents\.list[a-z.0-9]*$/],
  ['globals', /\/backups\/[^/]+\/globals\.sql[a-z.0-9]*$/],
  ['base', /\/base\/(\d+(\.\d+)?\.tar[a-z.0-9]*|(data|\d+)\.tar\.zst\.\d{6}[a-z.0-9]*)$/],
  ['backup_manifest', /\/base\/backup_manifest[a-z.0-9]*$/],
  ['file list', /\/base\/file-list\.json\.[a-z.0-9]+$/],
  ['WAL of the backup', /\/backups\/[^/]+\/wal\/[0-9A-F]+(\.history)?\.[a-z.0-9]+$/],
  ['history file', /\/wal\/history\/[0-9A-F]{8}\.history$/],
  ['WAL', /\/wal\/[0-9A-F]{8}\/[0-9A-F]{24}[^/]*\.zst$/],
  ['WAL index', /\/wal\/index\/[0-9A-F]{8}\/[^/]+\.json$/],
];

/** Fails for what nobody has thought of: a new kind of object wants a row in the table, and a test. */
export function kindOf(key: string): ObjectKind {
  const found = kinds.find(([, pattern]) => pattern.test(key));
  if (found === undefined)
    throw new Error(`${key} is of no kind that the tests of damage know: give it one in kinds.ts`);
  return found[0];
}
