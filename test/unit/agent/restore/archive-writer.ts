import type { ArchiveEntry } from '../../../../src/agent/restore/archive.ts';

export type Written = Partial<ArchiveEntry> & Pick<ArchiveEntry, 'id' | 'kind' | 'name'>;

/** Writes a table of contents as pg_dump does, for versions from 1.14. */
export function writeArchive(
  entries: readonly Written[],
  { version = 14, format = 1, encode = (text: string) => Buffer.from(text) } = {},
): Buffer {
  const parts: Buffer[] = [];
  const byte = (value: number) => parts.push(Buffer.from([value]));
  const integer = (value: number) => {
    const bytes = Buffer.alloc(5);
    bytes[0] = value < 0 ? 1 : 0;
    bytes.writeUInt32LE(Math.abs(value), 1);
    parts.push(bytes);
  };
  const text = (value: string | undefined) => {
    if (value === undefined) return integer(-1);
    const bytes = encode(value);
    integer(bytes.length);
    parts.push(bytes);
  };
  parts.push(Buffer.from('PGDMP'));
  for (const value of [1, version, 0, 4, 8, format]) byte(value);
  if (version >= 15) byte(0);
  else integer(0);
  for (let field = 0; field < 7; field += 1) integer(field);
  for (const said of ['shop', '15.14', '15.14']) text(said);
  integer(entries.length);
  for (const entry of entries) {
    integer(entry.id);
    integer(0);
    text('1259');
    text('16384');
    text(entry.name);
    text(entry.kind);
    integer({ Special: 1, PreData: 2, Data: 3, PostData: 4 }[entry.section ?? 'PreData']);
    text(entry.definition ?? '');
    text('');
    text(undefined);
    text(entry.schema);
    text(entry.tablespace ?? '');
    text('heap');
    if (version >= 16) integer(0);
    text(entry.owner ?? '');
    text('false');
    for (const id of entry.dependencies ?? []) text(String(id));
    text(undefined);
    if (format === 1) parts.push(Buffer.alloc(9));
    else text(undefined);
  }
  return Buffer.concat(parts);
}

/** An entry with what is not said left empty. */
export function entry(given: Written): ArchiveEntry {
  return {
    schema: undefined,
    owner: 'postgres',
    tablespace: '',
    definition: '',
    dependencies: [],
    section: given.kind === 'TABLE DATA' || given.kind === 'SEQUENCE SET' ? 'Data' : 'PreData',
    ...given,
  };
}
