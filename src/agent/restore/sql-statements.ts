/** A piece of SQL: `value` is a name without its quotes, a string without its quotes, or the text as it stands. */
export interface SqlToken {
  readonly kind: 'Word' | 'Name' | 'String' | 'Symbol';
  readonly value: string;
  /** Where it stands in the statement's text. */
  readonly start: number;
  readonly end: number;
}

export interface SqlStatement {
  /** Without the semicolon. */
  readonly text: string;
  readonly tokens: readonly SqlToken[];
}

/**
 * Longest first: comments, strings, names, dollar quotes, words, psql's own lines, single characters. What has no end goes
 * to the text's: else each of many beginnings would be looked for its end once more.
 */
const lexer =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*(?:'|$)|'[^']*(?:''[^']*)*(?:'|$)|"[^"]*(?:""[^"]*)*(?:"|$)|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?(?:\$\1\$|$)|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|(?<=^|\n)\\[^\n]*|\s+|[\s\S]/g;

/** Cuts a script of pg_dump or pg_dumpall into its statements (PostgreSQL, "Lexical Structure"). */
export function splitStatements(script: string): readonly SqlStatement[] {
  const statements: SqlStatement[] = [];
  let tokens: SqlToken[] = [];
  let begin: number | undefined;
  let end = 0;
  const close = () => {
    if (begin !== undefined) statements.push({ text: script.slice(begin, end), tokens });
    tokens = [];
    begin = undefined;
  };
  for (const match of script.matchAll(lexer)) {
    const [text] = match;
    if (isSkipped(text)) continue;
    if (text === ';') {
      close();
      continue;
    }
    begin ??= match.index;
    end = match.index + text.length;
    tokens.push({ ...read(text), start: match.index - begin, end: end - begin });
  }
  close();
  return statements;
}

function isSkipped(text: string): boolean {
  return (
    /^\s/.test(text) || text.startsWith('--') || text.startsWith('/*') || (text.startsWith('\\') && text.length > 1)
  );
}

function read(text: string): Pick<SqlToken, 'kind' | 'value'> {
  if (text.startsWith('"')) return { kind: 'Name', value: text.slice(1, -1).replaceAll('""', '"') };
  if (/^[eE]?'/.test(text))
    return { kind: 'String', value: text.slice(text.indexOf("'") + 1, -1).replaceAll("''", "'") };
  if (/^[A-Za-z_\u0080-\uffff]/.test(text)) return { kind: 'Word', value: text };
  return { kind: 'Symbol', value: text };
}

/** The name at this place: a word means lower case, as a server reads it. */
export function nameAt({ tokens }: SqlStatement, index: number): string | undefined {
  const token = tokens[index];
  if (token?.kind === 'Name') return token.value;
  return token?.kind === 'Word' ? token.value.toLowerCase() : undefined;
}

/** Whether the statement begins with these words. */
export function beginsWith({ tokens }: SqlStatement, ...words: readonly string[]): boolean {
  return words.every((word, index) => tokens[index]?.kind === 'Word' && tokens[index].value.toUpperCase() === word);
}

/** The place of a keyword; -1 without one. */
export function findWord({ tokens }: SqlStatement, word: string): number {
  return tokens.findIndex(({ kind, value }) => kind === 'Word' && value.toUpperCase() === word);
}
