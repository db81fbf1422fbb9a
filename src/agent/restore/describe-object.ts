import type { ArchiveEntry } from './archive.ts';

/** For a sentence: `table shop.orders`, `fk constraint shop.orders orders_customer_id_fkey`. */
export function describeObject({ kind, schema, name }: ArchiveEntry): string {
  return `${kind.toLowerCase()} ${schema === undefined ? '' : `${schema}.`}${name}`;
}

const shown = 6;

export function listObjects(entries: readonly ArchiveEntry[]): string {
  const names = entries.slice(0, shown).map(describeObject).join(', ');
  return entries.length > shown ? `${names} and ${entries.length - shown} more` : names;
}
