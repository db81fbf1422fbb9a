import { isDigit, isSpace, isWord, isWordPart } from './word-bytes.ts';

/** A piece of a script for psql, with its place in bytes. Between two pieces is nothing but white space. */
export interface Piece {
  /** Rows are those of the COPY before it, with the line that ends them. */
  readonly kind: 'Statement' | 'Command' | 'Comment' | 'Rows';
  readonly start: number;
  readonly end: number;
  /** As it is stored; undefined for rows, and where it is longer than anything that is asked about. */
  readonly text: Buffer | undefined;
}

/** A script that psql might not read as it is read here, or that ends in the middle of something. */
export class StrangeScript extends Error {
  override readonly name = 'StrangeScript';
}

export interface ScriptLexer {
  /** Keeps nothing of the chunk's memory. */
  push(chunk: Buffer): void;
  /** Nothing follows. */
  end(): void;
  /** standard_conforming_strings, from here on. */
  useStandardStrings(on: boolean): void;
}

const longest = 256 * 1024;
/** No keyword, dollar quote or mark that is looked for is longer. */
const lookahead = 256;

type State =
  | { readonly in: 'Text' | 'LineComment' | 'Command' | 'Rows' | 'RowsBegin' }
  | { readonly in: 'Comment'; readonly depth: number }
  | { readonly in: 'Quote'; readonly mark: number; readonly escapes: boolean }
  | { readonly in: 'Dollar'; readonly tag: Buffer };

/**
 * Splits what pg_dump wrote as psql does (psqlscan.l), in one pass and without holding it: statements, psql's own
 * commands, the rows of COPY. It knows encodings only in which no byte of a longer character is an ASCII one.
 */
export function createScriptLexer(onPiece: (piece: Piece) => void): ScriptLexer {
  let buffer: Buffer = Buffer.alloc(0);
  let base = 0;
  let state: State = { in: 'Text' };
  let standardStrings = true;
  let parentheses = 0;
  let begins = 0;
  let words: string[] = [];
  let open:
    | { readonly kind: Piece['kind']; readonly start: number; readonly parts: Buffer[]; kept: number }
    | undefined;

  const begin = (kind: Piece['kind'], at: number) => {
    open ??= { kind, start: base + at, parts: [], kept: 0 };
  };
  /** Takes over what of the open piece is in this buffer. */
  const keep = (to: number) => {
    if (open === undefined || open.kind === 'Rows' || open.kept > longest) return;
    // A copy: who gave the bytes may use their memory again.
    const part = Buffer.from(buffer.subarray(Math.max(0, open.start + open.kept - base), to));
    open.parts.push(part);
    open.kept += part.length;
  };
  const close = (to: number) => {
    keep(to);
    const piece = open;
    open = undefined;
    if (piece === undefined) return;
    const text = piece.kind === 'Rows' || piece.kept > longest ? undefined : Buffer.concat(piece.parts);
    onPiece({ kind: piece.kind, start: piece.start, end: base + to, text });
    if (piece.kind === 'Statement') {
      parentheses = 0;
      begins = 0;
      words = [];
      if (isCopyFromInput(text)) state = { in: 'RowsBegin' };
    }
  };
  const toText = (at: number) => {
    state = { in: 'Text' };
    return at;
  };

  const inText = (at: number): number => {
    const byte = buffer[at] ?? 0;
    const next = buffer[at + 1] ?? 0;
    if (isSpace(byte)) return at + 1;
    if (byte === dash && next === dash) {
      begin('Comment', at);
      state = { in: 'LineComment' };
      return at + 2;
    }
    if (byte === slash && next === star) {
      begin('Comment', at);
      state = { in: 'Comment', depth: 1 };
      return at + 2;
    }
    if (byte === backslash) {
      if (open !== undefined) throw new StrangeScript(`at byte ${base + at} a backslash stands within a statement`);
      begin('Command', at);
      state = { in: 'Command' };
      return at + 1;
    }
    begin('Statement', at);
    return inStatement(byte, at);
  };
  const inStatement = (byte: number, at: number): number => {
    if (byte === apostrophe || byte === quote) {
      state = { in: 'Quote', mark: byte, escapes: byte === apostrophe && !standardStrings };
      return at + 1;
    }
    if (byte === dollar) {
      const tag = dollarTag.exec(buffer.toString('latin1', at, at + lookahead))?.[0];
      if (tag === undefined) return at + 1;
      state = { in: 'Dollar', tag: Buffer.from(tag, 'latin1') };
      return at + tag.length;
    }
    if (isWord(byte)) return afterWord(at);
    if (byte === parenthesis) parentheses += 1;
    if (byte === parenthesis + 1 && parentheses > 0) parentheses -= 1;
    if (byte === semicolon && parentheses === 0 && begins === 0) close(at + 1);
    return at + 1;
  };
  const afterWord = (at: number): number => {
    let end = at + 1;
    while (end < buffer.length && isWordPart(buffer[end] ?? 0)) end += 1;
    const word = buffer.toString('latin1', at, Math.min(end, at + 16)).toLowerCase();
    if (word === 'e' && buffer[end] === apostrophe) {
      state = { in: 'Quote', mark: apostrophe, escapes: true };
      return end + 1;
    }
    if (!isDigit(buffer[at] ?? 0)) countWord(word);
    return end;
  };
  /** The body of a function in SQL (BEGIN ATOMIC … END) has semicolons of its own. */
  const countWord = (word: string) => {
    if (words.length < 4) words.push(word[0] ?? '');
    if (parentheses > 0 || !makesRoutine.test(words.join(''))) return;
    if (word === 'begin' || (word === 'case' && begins > 0)) begins += 1;
    else if (word === 'end' && begins > 0) begins -= 1;
  };
  const inQuote = (at: number, mark: number, escapes: boolean): number => {
    if (!escapes) {
      const end = buffer.indexOf(mark, at);
      // A doubled mark ends and begins it.
      return end === -1 ? buffer.length : toText(end + 1);
    }
    let end = at;
    while (end < buffer.length && buffer[end] !== mark && buffer[end] !== backslash) end += 1;
    if (end >= buffer.length) return end;
    if (buffer[end] === backslash || buffer[end + 1] === mark) return end + 2;
    return toText(end + 1);
  };
  const inComment = (at: number, depth: number): number => {
    const opens = buffer[at] === slash && buffer[at + 1] === star;
    const closes = buffer[at] === star && buffer[at + 1] === slash;
    if (!opens && !closes) return at + 1;
    if (opens || depth > 1) {
      state = { in: 'Comment', depth: depth + (opens ? 1 : -1) };
      return at + 2;
    }
    if (open?.kind === 'Comment') close(at + 2);
    return toText(at + 2);
  };
  const inLine = (at: number): number => {
    const end = buffer.indexOf(newline, at);
    if (end === -1) return buffer.length;
    if (open?.kind !== 'Statement') close(end);
    return toText(end);
  };
  const inRows = (at: number): number => {
    // By the backslash, which rows have seldom, and not by the line break before it, which is in every one.
    for (let end = buffer.indexOf(endOfRows, at); end !== -1; end = buffer.indexOf(endOfRows, end + 1)) {
      if (buffer[end - 1] !== newline) continue;
      const next = buffer[end + endOfRows.length];
      if (next === undefined) return Math.max(at, end - 1);
      // psql takes it for the end as well; pg_dump writes no such byte.
      if (next === carriageReturn) throw new StrangeScript(`at byte ${base + end} rows end with a carriage return`);
      if (next !== newline) continue;
      close(end + endOfRows.length + 1);
      return toText(end + endOfRows.length + 1);
    }
    return Math.max(at, buffer.length - endOfRows.length);
  };
  const step = (at: number): number => {
    switch (state.in) {
      case 'Text':
        return inText(at);
      case 'LineComment':
      case 'Command':
        return inLine(at);
      case 'Comment':
        return inComment(at, state.depth);
      case 'Quote':
        return inQuote(at, state.mark, state.escapes);
      case 'Dollar': {
        const end = buffer.indexOf(state.tag, at);
        return end === -1 ? Math.max(at, buffer.length - lookahead) : toText(end + state.tag.length);
      }
      case 'RowsBegin':
        if (buffer[at] !== newline) throw new StrangeScript(`at byte ${base + at} rows should begin`);
        begin('Rows', at);
        state = { in: 'Rows' };
        return inRows(at);
      case 'Rows':
        return inRows(at);
    }
  };
  const run = (limit: number) => {
    let at = 0;
    while (at < limit) {
      const before = state;
      const next = step(at);
      // The end of rows or of a dollar quote is not there yet.
      if (next === at && state === before) break;
      at = next;
    }
    at = Math.min(at, buffer.length);
    keep(at);
    base += at;
    buffer = buffer.subarray(at);
  };
  return {
    push(chunk) {
      if (buffer.length === 0) buffer = chunk;
      else {
        // What was left is joined with as much as takes the reading beyond it; the rest of the chunk is not copied.
        const head = Math.min(chunk.length, 2 * lookahead);
        const left = buffer.length;
        buffer = Buffer.concat([buffer, chunk.subarray(0, head)]);
        if (head < chunk.length) {
          const before = base;
          run(buffer.length - lookahead);
          const read = base - before - left;
          buffer = read < 0 ? Buffer.concat([buffer, chunk.subarray(head)]) : chunk.subarray(read);
        }
      }
      run(buffer.length - lookahead);
      buffer = Buffer.from(buffer);
    },
    end() {
      run(buffer.length);
      if (open?.kind === 'Comment' || open?.kind === 'Command') close(buffer.length);
      if (open !== undefined || buffer.length > 0) throw new StrangeScript('it ends in the middle of a statement');
    },
    useStandardStrings(on) {
      standardStrings = on;
    },
  };
}

const [newline, carriageReturn, quote, dollar, apostrophe, parenthesis, star, dash, slash, semicolon, backslash] = [
  10, 13, 34, 36, 39, 40, 42, 45, 47, 59, 92,
];
/** Where it is all of a line. */
const endOfRows = Buffer.from('\\.');
const dollarTag = /^\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$/;
const makesRoutine = /^c(?:or)?[fp]/;

function isCopyFromInput(text: Buffer | undefined): boolean {
  if (text === undefined || !/^copy\s/i.test(text.toString('latin1', 0, 8))) return false;
  return /\sFROM\s+stdin(?:\s+WITH\b[^'"]*)?;$/i.test(text.toString('latin1'));
}
