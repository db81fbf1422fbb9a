import { terminal } from '../../domain/failure.ts';
import { parseNamePattern } from '../backup/name-pattern.ts';

export interface RelationPattern {
  /** As it was written. */
  readonly text: string;
  readonly matches: (schema: string, name: string) => boolean;
}

/**
 * A pattern for tables as psql reads it (psql, "Patterns"): `schema.table` or `table`, each part with wildcards and
 * quotes. Without a schema it means the table in every schema, as pg_restore's --table does.
 */
export function parseRelationPattern(text: string): RelationPattern {
  const parts = splitAtDots(text);
  const [first = '', second] = parts;
  if (parts.length > 2) {
    throw terminal(
      'InvalidPattern',
      `The pattern ${text} has more than one dot outside quotes. Write schema.table, and put a name with a dot between double quotes.`,
    );
  }
  const schema = second === undefined ? undefined : parseNamePattern(first);
  const name = parseNamePattern(second ?? first);
  return { text, matches: (inSchema, relation) => (schema?.matches(inSchema) ?? true) && name.matches(relation) };
}

function splitAtDots(text: string): readonly string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (const character of text) {
    // A doubled quote inside quotes toggles twice.
    if (character === '"') quoted = !quoted;
    if (character === '.' && !quoted) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return [...parts, part];
}
