import { expect, test } from 'vitest';
import { parseRelationPattern } from '../../../../src/agent/restore/relation-pattern.ts';

test.each([
  ['orders', 'shop', 'orders', true],
  ['orders', 'other', 'orders', true],
  ['Orders', 'shop', 'orders', true],
  ['"Orders"', 'shop', 'orders', false],
  ['"Orders"', 'shop', 'Orders', true],
  ['shop.orders', 'shop', 'orders', true],
  ['shop.orders', 'shopx', 'orders', false],
  ['shop.orders', 'shop', 'orders2', false],
  ['shop.*', 'shop', 'any thing', true],
  ['s*.o?ders', 'shop', 'orders', true],
  ['*.*', 'a', 'b', true],
  ['"odd.schema".*', 'odd.schema', 'x', true],
  ['"a.b"', 'x', 'a.b', true],
  ['"a""b".c', 'a"b', 'c', true],
  ['"*"', 'x', 'anything', false],
  ['"*"', 'x', '*', true],
  ['a$b', 'x', 'a$b', true],
  ['orders|lines', 'x', 'lines', true],
])('%s means %s.%s: %s', (pattern, schema, name, expected) => {
  expect(parseRelationPattern(pattern).matches(schema, name)).toBe(expected);
});

test('three parts are refused', () => {
  expect(() => parseRelationPattern('db.shop.orders')).toThrow(/more than one dot/);
});
