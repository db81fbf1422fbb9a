/** What pg_dump wrote at the head of an archive, in full: `pg_restore --list` shortens and joins names. */
export interface Archive {
  readonly format: 'Custom' | 'Directory' | 'Tar';
  readonly database: string;
  /** In pg_restore's order. */
  readonly entries: readonly ArchiveEntry[];
}

export interface ArchiveEntry {
  /** The dump ID, by which lists for pg_restore name it. */
  readonly id: number;
  /** TABLE, TABLE DATA, FK CONSTRAINT, … */
  readonly kind: string;
  readonly schema: string | undefined;
  /** The archive's tag: a relation's name, `name(types)` of a function, `table constraint`, `TABLE name` of a comment. */
  readonly name: string;
  readonly owner: string;
  readonly tablespace: string;
  /** The SQL that makes it; empty for data. */
  readonly definition: string;
  readonly dependencies: readonly number[];
  readonly section: 'Special' | 'PreData' | 'Data' | 'PostData';
}

/** The buffer ends before the table of contents does. */
export class ArchiveCutShort extends Error {
  override readonly name = 'ArchiveCutShort';
}

/** Not an archive, or one of a version that is not known here. */
export class UnknownArchive extends Error {
  override readonly name = 'UnknownArchive';
}

/**
 * Reads the head of a Custom archive or the toc.dat of a Directory one. The layout is that of PostgreSQL's
 * pg_backup_archiver.c (ReadHead, ReadToc), which every later pg_restore must go on reading.
 */
export function parseArchive(bytes: Buffer): Archive {
  const reader = createReader(bytes);
  const { version, format, database } = readHead(reader);
  const count = reader.integer();
  const raw: Raw[] = [];
  // Not by the count at once: who has changed it would have room made for what never comes.
  while (raw.length < count) raw.push(readEntry(reader, version, format));
  const decode = decoderFor(raw);
  return { format, database: decode(database), entries: raw.map((entry) => decoded(entry, decode)) };
}

/** 1.14 is that of PostgreSQL 12 to 15, 1.15 of 16 and 17, 1.16 of 18. */
const oldest = 0x010e;
const compressionName = 0x010f;
const relationKind = 0x0110;
const newest = 0x0110;

/** A toc.dat says that it is of a tar, in a folder as well. */
const formats: Readonly<Record<number, Archive['format']>> = { 1: 'Custom', 3: 'Directory', 5: 'Directory' };

function readHead(reader: Reader) {
  if (reader.bytes(5).toString('latin1') !== 'PGDMP') throw new UnknownArchive('it does not begin with PGDMP');
  const version = (reader.byte() << 8) | reader.byte();
  reader.byte();
  const said = `${version >> 8}.${version & 0xff}`;
  if (version < oldest || version > newest) throw new UnknownArchive(`its archive version is ${said}`);
  reader.useSizes({ integer: reader.byte(), offset: reader.byte() });
  const code = reader.byte();
  const format = formats[code];
  if (format === undefined) throw new UnknownArchive(`its archive format has the code ${code}`);
  if (version >= compressionName) reader.byte();
  else reader.integer();
  // Seconds, minutes, hours, day, month, year, daylight saving of its making.
  for (let field = 0; field < 7; field += 1) reader.integer();
  const database = reader.text();
  // The versions of server and pg_dump.
  reader.text();
  reader.text();
  return { version, format, database };
}

/** Text as it stands in the archive: in the database's encoding, which one of the entries tells. */
type Raw = {
  readonly [Key in 'kind' | 'name' | 'schema' | 'owner' | 'tablespace' | 'definition']: Buffer | undefined;
} & Pick<ArchiveEntry, 'id' | 'dependencies' | 'section'>;

function readEntry(reader: Reader, version: number, format: Archive['format']): Raw {
  const id = reader.integer();
  // Whether it has data; the catalogue's OID and the object's.
  reader.integer();
  reader.text();
  reader.text();
  const name = reader.text();
  const kind = reader.text();
  const section = sections[reader.integer()] ?? 'Special';
  const definition = reader.text();
  // The statements that drop it and that begin its data.
  reader.text();
  reader.text();
  const schema = reader.text();
  const tablespace = reader.text();
  // The table access method.
  reader.text();
  if (version >= relationKind) reader.integer();
  const owner = reader.text();
  // WITH OIDS, of former times.
  reader.text();
  const dependencies: number[] = [];
  for (let next = reader.text(); next !== undefined; next = reader.text()) dependencies.push(Number(next.toString()));
  // Where the data is: an offset, or a file's name.
  if (format === 'Custom') reader.offset();
  else reader.text();
  return { id, kind, name, schema, owner, tablespace, definition, dependencies, section };
}

const sections: Readonly<Record<number, ArchiveEntry['section']>> = { 2: 'PreData', 3: 'Data', 4: 'PostData' };

type Decode = (text: Buffer | undefined) => string;

function decoded(raw: Raw, decode: Decode): ArchiveEntry {
  const schema = decode(raw.schema);
  return {
    id: raw.id,
    kind: decode(raw.kind),
    schema: schema === '' ? undefined : schema,
    name: decode(raw.name),
    owner: decode(raw.owner),
    tablespace: decode(raw.tablespace),
    definition: decode(raw.definition),
    dependencies: raw.dependencies,
    section: raw.section,
  };
}

function decoderFor(entries: readonly Raw[]): Decode {
  const definition = entries
    .find(({ kind }) => kind?.toString('latin1') === 'ENCODING')
    ?.definition?.toString('latin1');
  const encoding = /'([^']*)'/.exec(definition ?? '')?.[1] ?? 'UTF8';
  const decoder = decoderOf(encoding);
  return (text) => (text === undefined ? '' : decoder.decode(text));
}

function decoderOf(encoding: string) {
  try {
    // A name may begin with what would be a byte order mark at the beginning of a file.
    return new TextDecoder(webName(encoding), { ignoreBOM: true });
  } catch {
    throw new UnknownArchive(`its encoding is ${JSON.stringify(encoding.slice(0, 40))}`);
  }
}

/** PostgreSQL's name of an encoding (PostgreSQL, "Character Set Support") as the WHATWG has it. */
export function webName(encoding: string): string {
  const [, family, number] = /^(LATIN|WIN|ISO_8859_|KOI8)(\d+|R|U)$/.exec(encoding) ?? [];
  const latin: Readonly<Record<string, string>> = { 5: '9', 6: '10', 7: '13', 8: '14', 9: '15', 10: '16' };
  if (family === 'LATIN') return `iso-8859-${latin[number ?? ''] ?? number}`;
  if (family === 'ISO_8859_') return `iso-8859-${number}`;
  if (family === 'WIN')
    return number === '866' || number === '874'
      ? `windows-${number}`.replace('windows-866', 'ibm866')
      : `windows-${number}`;
  if (family === 'KOI8') return `koi8-${number?.toLowerCase()}`;
  return others.get(encoding) ?? 'utf-8';
}

const others: ReadonlyMap<string, string> = new Map([
  ['EUC_JP', 'euc-jp'],
  ['EUC_KR', 'euc-kr'],
  ['EUC_CN', 'gbk'],
  ['UHC', 'euc-kr'],
  ['GBK', 'gbk'],
  ['BIG5', 'big5'],
  ['SJIS', 'shift_jis'],
  ['GB18030', 'gb18030'],
]);

interface Reader {
  byte(): number;
  bytes(length: number): Buffer;
  /** Set by the head: how many bytes an integer and a file offset have. */
  useSizes(sizes: { readonly integer: number; readonly offset: number }): void;
  integer(): number;
  offset(): void;
  /** undefined for a null. */
  text(): Buffer | undefined;
}

function createReader(source: Buffer): Reader {
  let position = 0;
  let sizes = { integer: 4, offset: 8 };
  const bytes = (length: number) => {
    if (position + length > source.length) throw new ArchiveCutShort('the table of contents is not complete');
    position += length;
    return source.subarray(position - length, position);
  };
  const byte = () => bytes(1)[0] ?? 0;
  // A sign, then the least significant byte first.
  const integer = () => {
    const negative = byte() !== 0;
    const value = bytes(sizes.integer).readUIntLE(0, Math.min(sizes.integer, 6));
    return negative ? -value : value;
  };
  return {
    byte,
    bytes,
    useSizes(given) {
      if (given.integer < 1 || given.integer > 8) throw new UnknownArchive(`its integers have ${given.integer} bytes`);
      sizes = given;
    },
    integer,
    offset: () => void bytes(1 + sizes.offset),
    text() {
      const length = integer();
      return length < 0 ? undefined : bytes(length);
    },
  };
}
