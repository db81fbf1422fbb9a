import { expect, test } from 'vitest';
import { beginsWith, findWord, nameAt, splitStatements } from '../../../../src/agent/restore/sql-statements.ts';

const texts = (script: string) => splitStatements(script).map(({ text }) => text);

test('statements end at semicolons outside of strings, names, comments and dollar quotes', () => {
  const script = `-- a; comment
SET x = 'a;b''c';
\\restrict abc;def
CREATE ROLE "o;dd""x";
/* ; */ ALTER ROLE y PASSWORD E'a\\';b';
DO $x$ begin; $y$ ; end $x$;
SELECT 1`;
  expect(texts(script)).toEqual([
    "SET x = 'a;b''c'",
    'CREATE ROLE "o;dd""x"',
    "ALTER ROLE y PASSWORD E'a\\';b'",
    'DO $x$ begin; $y$ ; end $x$',
    'SELECT 1',
  ]);
});

test('names lose their quotes, words mean lower case', () => {
  const [one, two] = splitStatements('CREATE ROLE "Ab""c"; create role Äb');
  if (one === undefined || two === undefined) throw new Error('two statements');
  expect([nameAt(one, 2), nameAt(two, 2), nameAt(two, 3)]).toEqual(['Ab"c', 'äb', undefined]);
  expect(beginsWith(two, 'CREATE', 'ROLE')).toBe(true);
  expect(beginsWith(two, 'ALTER')).toBe(false);
});

test('a quoted keyword is no keyword', () => {
  const [statement] = splitStatements('GRANT "to" TO x');
  if (statement === undefined) throw new Error('one statement');
  expect(findWord(statement, 'TO')).toBe(2);
});
