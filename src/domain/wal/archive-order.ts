import { parseWalFileName } from './file-name.ts';

/**
 * The order in which an archive takes files: every history first, since nobody finds a timeline without it, then by the
 * place in the WAL, oldest first. Names that are no WAL file's come last.
 */
export function inArchiveOrder(names: readonly string[]): readonly string[] {
  return [...names].sort((one, other) => compare(keyOf(one), keyOf(other)));
}

function keyOf(name: string): string {
  const kind = parseWalFileName(name)?.kind;
  if (kind === undefined) return `2${name}`;
  return kind === 'History' ? `0${name}` : `1${name.slice(8, 24)}${name.slice(0, 8)}${name.slice(24)}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
