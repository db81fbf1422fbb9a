import { terminal } from '../../domain/failure.ts';
import { createScriptLexer, type Piece, StrangeScript } from '../restore/script/lex-script.ts';
import { readHeading } from '../restore/script/script-entry.ts';

export interface ScriptContents {
  /** Gives the script on as it is; rejects at its end where it is not whole. */
  readonly pass: (script: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, void>;
  /** Of the whole script, in the form of `pg_restore --list`. */
  readonly list: () => Buffer;
}

const complete = '-- PostgreSQL database dump complete';
/** Encodings in which a byte of a longer character may be a quote or a backslash; only clients use them. */
const unsafe = /^(SJIS|SHIFT_JIS_2004|BIG5|GBK|UHC|GB18030|JOHAB)$/i;

/**
 * Reads the table of contents of a Plain dump from pg_dump's own comments while the script passes by. It is split as psql
 * splits it, so that no row, text or function body can pose as a comment or as the dump's end.
 */
export function createScriptContents(database: string): ScriptContents {
  const lines: Buffer[] = [];
  const versions: Buffer[] = [];
  let isComplete = false;

  const onComment = (text: string) => {
    if (text === complete) isComplete = true;
    if (/^-- Dumped (from|by) /.test(text)) versions.push(line(`;     ${text.slice(3)}`));
    const head = readHeading(text);
    if (head === undefined) return;
    const { kind, schema = '-', name, owner } = head;
    lines.push(line(`${lines.length + 1}; 0 0 ${kind} ${schema} ${name} ${owner}`));
  };
  const onStatement = (text: string) => {
    isComplete = false;
    const [, setting, value = ''] = settings.exec(text) ?? [];
    if (setting === 'standard_conforming_strings') lexer.useStandardStrings(value !== 'off');
    if (setting === 'client_encoding' && unsafe.test(value)) throw new StrangeScript(`it is written in ${value}`);
  };
  const lexer = createScriptLexer(({ kind, text }: Piece) => {
    if (kind === 'Command') return;
    // One byte a character: only ASCII is looked for, and the names stay as they are.
    const said = text?.toString('latin1').trimEnd() ?? '';
    if (kind === 'Comment') onComment(said);
    else onStatement(said);
  });
  return {
    async *pass(script) {
      try {
        for await (const chunk of script) {
          lexer.push(chunk);
          yield chunk;
        }
        lexer.end();
      } catch (error) {
        throw error instanceof StrangeScript ? unreadable(database, error) : error;
      }
      if (!isComplete) throw cutShort(database);
    },
    list: () =>
      Buffer.concat([
        ...[';', '; Plain dump, to be run with psql', `;     dbname: ${printed(database)}`].map(line),
        line(`;     TOC Entries: ${lines.length}`),
        line(';     Format: PLAIN'),
        ...versions,
        ...[';', '; Selected TOC Entries:', ';'].map(line),
        ...lines,
      ]),
  };
}

const settings = /^SET (standard_conforming_strings|client_encoding) = '?(\w+)'?;$/;

function line(text: string): Buffer {
  return Buffer.from(`${text}\n`, 'latin1');
}

/** As pg_restore prints it. */
function printed(name: string): string {
  return Buffer.from(name.replaceAll(/[\r\n]/g, ' ')).toString('latin1');
}

function cutShort(database: string): Error {
  return terminal(
    'IncompleteDump',
    `The Plain dump of database ${database} lacks the line with which pg_dump ends one, so it is not whole. Nothing of it was kept. Start the backup again; if it stays so, use format: Custom, and report it with the versions of Tidemark and PostgreSQL.`,
  );
}

function unreadable(database: string, error: StrangeScript): Error {
  return terminal(
    'IncompleteDump',
    `The Plain dump of database ${database} cannot be read back as a script: ${error.message}. Nothing of it was kept. Use format: Custom, or take --encoding out of logical.extraArgs.`,
    error,
  );
}
