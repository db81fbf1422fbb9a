import type { ArchiveEntry } from '../archive.ts';

/** An entry of a script: where its comment begins, and where the next one's does, in bytes. */
export interface ScriptEntry extends ArchiveEntry {
  readonly start: number;
  readonly end: number;
}

const heading =
  /^-- (?:Data for )?Name: ([\s\S]*); Type: ([A-Z][A-Z ]*); Schema: ([\s\S]*?); Owner: ([\s\S]*?)(?:; Tablespace: ([\s\S]*))?$/;

/** A function's hundred arguments fit in; what is longer could keep the expression busy for minutes. */
const longest = 32_768;

/** What pg_dump says in a comment before each object: with a dash for nothing, and line breaks in names as spaces. */
export function readHeading(
  comment: string,
): Pick<ArchiveEntry, 'name' | 'kind' | 'schema' | 'owner' | 'tablespace'> | undefined {
  if (comment.length > longest) return undefined;
  const [, name, kind, schema, owner, tablespace] = heading.exec(comment) ?? [];
  if (name === undefined || kind === undefined) return undefined;
  return {
    name,
    kind,
    schema: schema === '-' ? undefined : schema,
    owner: owner === undefined || owner === '-' ? '' : owner,
    tablespace: tablespace ?? '',
  };
}

const dataKinds: ReadonlySet<string> = new Set(['TABLE DATA', 'SEQUENCE SET', 'BLOBS', 'BLOB COMMENTS']);

export function sectionOf(kind: string): ArchiveEntry['section'] {
  return dataKinds.has(kind) ? 'Data' : 'PreData';
}

/** Their statements are read by somebody: who has grants, and how the database was made. */
export function isRead(kind: string, name: string): boolean {
  return readKinds.has(kind) || (kind === 'COMMENT' && name.startsWith('DATABASE '));
}

const readKinds: ReadonlySet<string> = new Set([
  'ACL',
  'DEFAULT ACL',
  'DATABASE',
  'DATABASE PROPERTIES',
  'BLOB METADATA',
]);

/** Of the database itself, which the script's reader may give another name. */
export function isOfDatabase({ kind, name }: Pick<ArchiveEntry, 'kind' | 'name'>): boolean {
  return (
    kind === 'DATABASE' ||
    kind === 'DATABASE PROPERTIES' ||
    (['COMMENT', 'ACL', 'SECURITY LABEL'].includes(kind) && name.startsWith('DATABASE '))
  );
}
