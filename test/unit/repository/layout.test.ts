import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backupIDFor, backupPath, decodeName, encodeName, parseBackupPath } from '../../../src/domain/layout.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 63 }).filter((value) => value.isWellFormed());

test('every name comes back, as one harmless path segment', () => {
  fc.assert(
    fc.property(name, (value) => {
      const segment = encodeName(value);
      expect(segment).toMatch(/^[A-Za-z0-9_%][A-Za-z0-9_%-]*$/);
      expect(decodeName(segment)).toBe(value);
    }),
  );
});

test('no two names meet', () => {
  fc.assert(fc.property(name, name, (a, b) => (a === b) === (encodeName(a) === encodeName(b))));
});

test.each([
  ['.', '%2E'],
  ['..', '%2E%2E'],
  ['a/b', 'a%2Fb'],
  ['-rf', '%2Drf'],
  ['a%2Fb', 'a%252Fb'],
  ['größe', 'gr%C3%B6%C3%9Fe'],
  ['my-shop_1', 'my-shop_1'],
])('%j is stored as %s', (value, segment) => {
  expect(encodeName(value)).toBe(segment);
});

test('a backup’s path names its parts', () => {
  const location = {
    namespace: 'shop',
    policy: 'nightly',
    systemIdentifier: '7',
    backupID: '20261121T030000Z-logical',
  };
  expect(parseBackupPath(backupPath(location))).toEqual(location);
  expect(parseBackupPath('shop/nightly/7/20261121T030000Z-logical')).toBeUndefined();
  expect(parseBackupPath(`${backupPath(location)}/databases`)).toBeUndefined();
});

test('IDs sort by time', () => {
  const at = (time: string) => backupIDFor(new Date(time), 'Logical', 'Full');
  expect(at('2026-11-21T03:00:00.123Z')).toBe('20261121T030000Z-logical');
  expect(at('2026-11-21T03:00:00Z') < at('2026-11-21T03:00:01Z')).toBe(true);
});
