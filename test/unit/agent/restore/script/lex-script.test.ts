import { expect, test } from 'vitest';
import { createScriptLexer, type Piece, StrangeScript } from '../../../../../src/agent/restore/script/lex-script.ts';

function lex(script: string, size = script.length, standardStrings = true): readonly string[] {
  const bytes = Buffer.from(script);
  const pieces: Piece[] = [];
  const lexer = createScriptLexer((piece) => pieces.push(piece));
  lexer.useStandardStrings(standardStrings);
  for (let at = 0; at < bytes.length; at += size) lexer.push(bytes.subarray(at, at + size));
  lexer.end();
  for (const { text, start, end } of pieces) {
    if (text !== undefined) expect(text.toString()).toBe(bytes.toString('utf8', start, end));
  }
  return pieces.map(({ kind, start, end }) => `${kind} ${bytes.toString('utf8', start, end)}`);
}

const long = 'x'.repeat(700);
const script = `--
-- Name: a; Type: TABLE
--
\\restrict key
/* outer /* inner; */ ' */ SELECT 1;
INSERT INTO "a;b""c" VALUES ('it''s; ', E'\\'; \\\\', $$;'$$, $_1$ $$;\\! $_1$, '${long};', "$x$", a$1$b);
CREATE RULE r AS ON DELETE TO t DO INSTEAD ( SELECT 1; SELECT 2; );
CREATE OR REPLACE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END;
CREATE TABLE "begin" (case_ int); -- not; a statement
COPY public."t" (a, "b FROM stdin") FROM stdin;
1	\\! ${long}
\\\\.
\\.
COPY w FROM stdin;
C:\\\\.config\\.
\\.b
\\\\.
\\.
COPY e FROM stdin;
\\.
SELECT 'ünï;𝄞' AS "列";
`;
const pieces = [
  'Comment --',
  'Comment -- Name: a; Type: TABLE',
  'Comment --',
  'Command \\restrict key',
  "Comment /* outer /* inner; */ ' */",
  'Statement SELECT 1;',
  `Statement INSERT INTO "a;b""c" VALUES ('it''s; ', E'\\'; \\\\', $$;'$$, $_1$ $$;\\! $_1$, '${long};', "$x$", a$1$b);`,
  'Statement CREATE RULE r AS ON DELETE TO t DO INSTEAD ( SELECT 1; SELECT 2; );',
  'Statement CREATE OR REPLACE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END;',
  'Statement CREATE TABLE "begin" (case_ int);',
  'Comment -- not; a statement',
  'Statement COPY public."t" (a, "b FROM stdin") FROM stdin;',
  `Rows \n1\t\\! ${long}\n\\\\.\n\\.\n`,
  'Statement COPY w FROM stdin;',
  'Rows \nC:\\\\.config\\.\n\\.b\n\\\\.\n\\.\n',
  'Statement COPY e FROM stdin;',
  'Rows \n\\.\n',
  'Statement SELECT \'ünï;𝄞\' AS "列";',
];

test.each([script.length, 1, 2, 3, 7, 64, 255, 256, 257, 700])('pieces are the same in chunks of %i bytes', (size) => {
  expect(lex(script, size)).toEqual(pieces);
});

test.each([1, 256, 257, 511, 512, 513, 700])('chunks of %i bytes may be overwritten when they were taken', (size) => {
  const texts: string[] = [];
  const lexer = createScriptLexer(({ kind, text }) => texts.push(`${kind} ${text?.toString() ?? ''}`));
  for (let at = 0; at < script.length; at += size) {
    const chunk = Buffer.from(Buffer.from(script).subarray(at, at + size));
    lexer.push(chunk);
    chunk.fill(';');
  }
  lexer.push(Buffer.from(script).subarray(Math.ceil(script.length / size) * size));
  lexer.end();
  expect(texts.filter((text) => !text.startsWith('Rows'))).toEqual(pieces.filter((text) => !text.startsWith('Rows')));
});

test('with standard_conforming_strings off a backslash escapes in every string', () => {
  const text = `SELECT 'a\\'; b';`;
  expect(lex(text, text.length, false)).toEqual([`Statement ${text}`]);
  expect(() => lex(text)).toThrow(StrangeScript);
});

test.each([
  ['a backslash within a statement', 'SELECT 1 \\gexec\n;', 'within a statement'],
  ['a string without an end', "SELECT 'a;\n", 'in the middle'],
  ['a dollar quote without an end', 'SELECT $a$ ;\n', 'in the middle'],
  ['rows without an end', 'COPY t FROM stdin;\n1\n', 'in the middle'],
  ['an end of rows that only psql knows', 'COPY t FROM stdin;\n1\n\\.\r\n\\! x\n\\.\n', 'carriage return'],
  ['something between COPY and its rows', 'COPY t FROM stdin; SELECT 1;\n\\.\n', 'rows should begin'],
])('%s is refused', (_, text, message) => {
  for (const size of [1, text.length]) {
    expect(() => lex(text, size)).toThrow(StrangeScript);
    expect(() => lex(text, size)).toThrow(message);
  }
});
