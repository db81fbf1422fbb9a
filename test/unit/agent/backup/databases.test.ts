import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseDatabases, type Database, isNamed } from '../../../../src/agent/backup/databases.ts';
import { parseNamePattern } from '../../../../src/agent/backup/name-pattern.ts';

describe('a pattern matches as in psql', () => {
  test.each([
    ['orders', ['orders'], ['Orders', 'orders2', 'xorders']],
    ['Orders', ['orders'], ['Orders']],
    ['"Orders"', ['Orders'], ['orders']],
    ['ord*', ['orders', 'ord'], ['lord']],
    ['order?', ['orders'], ['order', 'orderss']],
    ['"a*b"', ['a*b'], ['axb']],
    ['"a""b"', ['a"b'], ['ab']],
    ['[0-9]+', ['12'], ['a']],
    ['(a|b)c', ['ac', 'bc'], ['abc']],
    ['a$b', ['a$b'], ['a']],
    ['a[]', ['a[]'], ['a']],
    ['a.b', ['a.b'], ['axb']],
    ['*', ['anything', 'with\nline', ''], []],
    ['ÄB', ['Äb'], ['äb']],
    ['sales-2026', ['sales-2026'], ['sales']],
    ['a/b', ['a/b'], []],
  ])('%s', (pattern, matching, others) => {
    const { matches } = parseNamePattern(pattern);
    expect(matching.filter((name) => !matches(name))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  test('any name between double quotes matches itself alone', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(name, name, (one, other) => {
        const { matches, literal } = parseNamePattern(`"${one.replaceAll('"', '""')}"`);
        expect(literal).toBe(one);
        expect(matches(one)).toBe(true);
        expect(matches(other)).toBe(one === other);
      }),
    );
  });

  test('what is no pattern is refused, and how to quote it is said', () => {
    expect(() => parseNamePattern('a(b')).toThrow(/a\(b cannot be read.*double quotes/);
  });
});

const database = (name: string, more: Partial<Database> = {}): Database => ({
  oid: 1,
  name,
  encoding: 'UTF8',
  collate: 'C',
  ctype: 'C',
  owner: 'postgres',
  bytes: 1,
  isTemplate: false,
  allowsConnections: true,
  isHalfDropped: false,
  ...more,
});

const all = [
  database('Sales'),
  database('orders'),
  database('postgres'),
  database('scratch_1'),
  database('template0', { isTemplate: true, allowsConnections: false }),
  database('template1', { isTemplate: true }),
  database('closed', { allowsConnections: false }),
  database('half', { isHalfDropped: true }),
];
const choose = (include: string[], exclude: string[] = []) =>
  chooseDatabases(all, { include, exclude }).map(({ name }) => name);

describe('the databases of a policy', () => {
  test('are all that take connections and are no templates', () => {
    expect(choose(['*'])).toEqual(['Sales', 'orders', 'postgres', 'scratch_1']);
  });

  test('are those included and not excluded, once', () => {
    expect(choose(['orders', '*'], ['scratch_*', 'postgres'])).toEqual(['Sales', 'orders']);
  });

  test.each([
    ['nowhere', /no such database: it has \[Sales, orders/],
    ['Sales', /the server has Sales\. Letters mean lower case unless they are quoted: write '"Sales"'/],
    ['template1', /is a template/],
    ['closed', /allows no connections/],
    ['half', /was dropped half-way \(finish it: DROP DATABASE\)/],
  ])('must have %s where it is spelled out', (name, message) => {
    expect(() => choose(['*', name])).toThrow(
      expect.objectContaining({
        reason: 'DatabaseNotFound',
        retryable: false,
        message: expect.stringMatching(message),
      }),
    );
  });

  test('are never none', () => {
    expect(() => choose(['x*'])).toThrow(expect.objectContaining({ reason: 'NothingToBackUp', retryable: false }));
    expect(() => choose(['*'], ['*'])).toThrow(expect.objectContaining({ reason: 'NothingToBackUp' }));
  });
});

test.each([
  ['orders', ['*', 'orders'], true],
  ['orders', ['ORDERS'], true],
  ['Sales', ['"Sales"'], true],
  ['Sales', ['Sales'], false],
  ['orders', ['*', 'ord*'], false],
])('whether %s is named by %j: %j', (name, include, expected) => {
  expect(isNamed({ include, exclude: [] }, name)).toBe(expected);
});
