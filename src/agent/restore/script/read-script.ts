import { terminal } from '../../../domain/failure.ts';
import { webName } from '../archive.ts';
import type { PassingReader } from '../fetch-packed.ts';
import { beginsWith, findWord, nameAt, splitStatements } from '../sql-statements.ts';
import { createScriptLexer, type Piece, StrangeScript } from './lex-script.ts';
import { isOfDatabase, isRead, readHeading, type ScriptEntry, sectionOf } from './script-entry.ts';

/** A Plain dump: SQL for psql, and what has to be known of it without running it. */
export interface Script {
  readonly format: 'Plain';
  readonly database: string;
  readonly entries: readonly ScriptEntry[];
  /** Statements of a kind that may be passed over, in order. */
  readonly marks: readonly Mark[];
  /** COPY statements with their rows, in order. */
  readonly copies: readonly Copy[];
  /** SET and the like: what a session has to say before it runs what comes after them. */
  readonly settings: readonly Setting[];
  /** Bytes. */
  readonly size: number;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Copy extends Range {
  /** There is no statement between the one before it and this one. */
  readonly follows: boolean;
}

/**
 * Clean: a statement that drops something, before all others. CleanIndex: one that drops an index or a key, which goes
 * with its table anyway. PublicSchema: one that makes the schema public.
 */
export interface Mark extends Range {
  readonly kind:
    | 'Command'
    | 'Clean'
    | 'CleanIndex'
    | 'CleanDatabase'
    | 'Owner'
    | 'Session'
    | 'Tablespace'
    | 'Timeout'
    | 'Transaction'
    | 'PublicSchema';
}

export interface Setting extends Range {
  readonly name: string;
  readonly text: Buffer;
  readonly isReset: boolean;
}

/** `database` is its name in the backup. Its end is a terminal UnknownFormat where it is not what pg_dump writes. */
export function createScriptReader(database: string): PassingReader<Script> {
  const reading = createReading(database);
  let strange: StrangeScript | undefined;
  const unlessStrange = <Result>(read: () => Result): Result | undefined => {
    if (strange !== undefined) return undefined;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof StrangeScript)) throw error;
      strange = error;
      return undefined;
    }
  };
  return {
    push(chunk) {
      unlessStrange(() => reading.push(chunk));
      return strange === undefined;
    },
    end() {
      const script = unlessStrange(() => reading.end());
      if (script !== undefined) return script;
      throw terminal(
        'UnknownFormat',
        `The Plain dump of database ${database} is not what pg_dump writes: ${strange?.message}. Nothing was changed in the target, and nothing of the dump was run. Restore from another backup; or look through the file and run it by hand with psql (docs/restore-by-hand.md).`,
        strange,
      );
    },
  };
}

function createReading(database: string) {
  const marks: Mark[] = [];
  const droppedKeys = new Map<Mark, string>();
  const copies: Copy[] = [];
  const settings: Setting[] = [];
  const entries: ScriptEntry[] = [];
  let open: (Omit<ScriptEntry, 'end' | 'definition'> & { readonly definition: string[] }) | undefined;
  let decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let size = 0;
  let latest = { start: 0, afterRows: false };
  let afterRows = false;

  const close = (end: number) => {
    if (open !== undefined) entries.push({ ...open, definition: open.definition.join('\n'), end });
    open = undefined;
  };
  const onComment = ({ start, text }: Piece) => {
    const head = text === undefined ? undefined : readHeading(decoder.decode(text));
    if (head === undefined) return;
    close(start);
    open = { id: entries.length + 1, ...head, section: sectionOf(head.kind), dependencies: [], definition: [], start };
  };
  const onStatement = (piece: Piece) => {
    latest = { start: piece.start, afterRows };
    afterRows = false;
    const text = piece.text === undefined || piece.text.length > longestMarked ? undefined : decoder.decode(piece.text);
    if (text === undefined) return;
    if (open !== undefined && isRead(open.kind, open.name)) open.definition.push(text);
    const kind = markOf(text, open === undefined && entries.length === 0);
    const mark = kind === undefined ? undefined : { kind, start: piece.start, end: piece.end };
    if (mark !== undefined) marks.push(mark);
    const key = mark?.kind === 'Clean' ? constraintDropped(text) : undefined;
    if (mark !== undefined && key !== undefined) droppedKeys.set(mark, key);
    const setting = settingOf(text);
    if (setting === undefined || piece.text === undefined) return;
    settings.push({ ...setting, start: piece.start, end: piece.end, text: piece.text });
    if (setting.name === 'client_encoding') decoder = decoderFor(text);
    if (setting.name === 'standard_conforming_strings') lexer.useStandardStrings(!/\boff\b|false/i.test(text));
  };
  const lexer = createScriptLexer((piece) => {
    switch (piece.kind) {
      case 'Comment':
        onComment(piece);
        break;
      case 'Statement':
        onStatement(piece);
        break;
      case 'Rows':
        copies.push({ start: latest.start, end: piece.end, follows: latest.afterRows });
        afterRows = true;
        break;
      case 'Command':
        requireKnownCommand(piece);
        marks.push({ kind: 'Command', start: piece.start, end: piece.end });
        break;
    }
  });
  return {
    push(chunk: Buffer) {
      // psql passes over the rest of a line that has one, and so over the end of rows; pg_dump writes none.
      if (chunk.includes(0)) throw new StrangeScript('it holds a zero byte');
      size += chunk.length;
      lexer.push(chunk);
    },
    end(): Script {
      lexer.end();
      close(size);
      if (settings.length === 0) throw new StrangeScript('it has none of the settings that every dump begins with');
      const keys = new Set(entries.filter(({ kind }) => kind === 'CONSTRAINT').map(keyOf));
      return {
        format: 'Plain',
        database: databaseOf(entries) ?? database,
        entries: withDatabase(entries),
        marks: marks.map((mark) => (keys.has(droppedKeys.get(mark) ?? '') ? { ...mark, kind: 'CleanIndex' } : mark)),
        copies,
        settings,
        size,
      };
    },
  };
}

const longestMarked = 256 * 1024;

/** psql's own commands reach files and a shell. These three are pg_dump's, and psql is not given them. */
function requireKnownCommand({ start, text }: Piece): void {
  const command = text?.toString('latin1') ?? '';
  if (/^\\(?:restrict|unrestrict) [A-Za-z0-9]+\s*$/.test(command) || /^\\connect /.test(command)) return;
  throw new StrangeScript(
    `at byte ${start} it has a command for psql that no dump has (${JSON.stringify(command.slice(0, 40))})`,
  );
}

/** Encodings whose longer characters have ASCII bytes in them, a quote or a backslash among those. */
const unsafe = /^(SJIS|SHIFT_JIS_2004|BIG5|GBK|UHC|GB18030|JOHAB)$/i;

function decoderFor(statement: string) {
  const encoding = /'([^']*)'/.exec(statement)?.[1] ?? 'UTF8';
  if (unsafe.test(encoding)) throw new StrangeScript(`it is written in ${encoding}, which is not safe to take apart`);
  try {
    return new TextDecoder(webName(encoding), { ignoreBOM: true });
  } catch {
    throw new StrangeScript(`it is written in ${JSON.stringify(encoding.slice(0, 40))}, which is not known`);
  }
}

function markOf(statement: string, isBefore: boolean): Mark['kind'] | undefined {
  if (/^SET SESSION AUTHORIZATION\b|^RESET SESSION AUTHORIZATION\b/i.test(statement)) return 'Session';
  if (/^SET default_tablespace\b/i.test(statement)) return 'Tablespace';
  if (/^SET transaction_timeout\b/i.test(statement)) return 'Timeout';
  if (/^(BEGIN|COMMIT);$/i.test(statement)) return 'Transaction';
  if (/^CREATE SCHEMA public;$/i.test(statement)) return 'PublicSchema';
  if (/^ALTER\s[\s\S]*\sOWNER TO (?:"(?:[^"]|"")*"|[^\s"']+);$/.test(statement)) return 'Owner';
  if (!isBefore || settingOf(statement) !== undefined) return undefined;
  if (/^DROP INDEX\b/i.test(statement)) return 'CleanIndex';
  return /^(DROP|ALTER) DATABASE\b|^UPDATE pg_catalog\.pg_database\b/i.test(statement) ? 'CleanDatabase' : 'Clean';
}

function settingOf(statement: string): Pick<Setting, 'name' | 'isReset'> | undefined {
  const set = /^SELECT pg_catalog\.set_config\('([a-z_]+)',/.exec(statement)?.[1];
  if (set !== undefined) return { name: set, isReset: false };
  const [, does, name] = /^(SET|RESET) (SESSION AUTHORIZATION|[A-Za-z_.]+)/i.exec(statement) ?? [];
  if (does === undefined || name === undefined) return undefined;
  return { name: name.toLowerCase(), isReset: /^reset$/i.test(does) };
}

/** Of `ALTER TABLE ONLY plain.orders DROP CONSTRAINT orders_pkey;` what the entry of the constraint is known by. */
function constraintDropped(text: string): string | undefined {
  const [statement] = splitStatements(text);
  if (statement === undefined || !beginsWith(statement, 'ALTER', 'TABLE')) return undefined;
  const dot = statement.tokens.findIndex(({ value }) => value === '.');
  const drop = findWord(statement, 'DROP');
  if (dot < 1 || drop < dot || statement.tokens[drop + 1]?.value.toUpperCase() !== 'CONSTRAINT') return undefined;
  const name = nameAt(statement, statement.tokens.length - 1);
  return keyOf({ schema: nameAt(statement, dot - 1), name: `${nameAt(statement, dot + 1)} ${name}` });
}

function keyOf({ schema, name }: Pick<ScriptEntry, 'schema' | 'name'>): string {
  return `${schema} ${name.replaceAll(/[\r\n]/g, ' ')}`;
}

function databaseOf(entries: readonly ScriptEntry[]): string | undefined {
  return entries.find(({ kind }) => kind === 'DATABASE')?.name;
}

/** The comment and the grants of the database hang on it, as they do in an archive. */
function withDatabase(entries: readonly ScriptEntry[]): readonly ScriptEntry[] {
  const database = entries.find(({ kind }) => kind === 'DATABASE');
  if (database === undefined) return entries;
  return entries.map((entry) =>
    entry !== database && isOfDatabase(entry) ? { ...entry, dependencies: [database.id] } : entry,
  );
}
