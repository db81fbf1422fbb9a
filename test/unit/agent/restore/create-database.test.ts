import { expect, test } from 'vitest';
import { createStatement, propertyStatements } from '../../../../src/agent/restore/create-database.ts';
import { keptName } from '../../../../src/agent/restore/swap-database.ts';
import { entry } from './archive-writer.ts';

const source = { name: 'shop', encoding: 'UTF8', collate: 'C', ctype: "it's" };
const made = (definition: string) => [entry({ id: 1, kind: 'DATABASE', name: 'shop', definition })];

test('a database is made as the source was, from template0', () => {
  const definition =
    "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n";
  expect(createStatement('x"y', source, made(definition), 'own"er')).toBe(
    `CREATE DATABASE "x""y" TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'it''s' OWNER = "own""er"`,
  );
});

test.each([
  [
    "LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'de-DE' ICU_RULES = '& a < g'",
    "LOCALE_PROVIDER = icu ICU_LOCALE = 'de-DE' ICU_RULES = '& a < g'",
  ],
  [
    "LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8'",
    "LOCALE_PROVIDER = builtin BUILTIN_LOCALE = 'C.UTF-8'",
  ],
])('another provider of locales is taken over: %s', (options, expected) => {
  const definition = `CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' ${options};\n`;
  expect(createStatement('x', source, made(definition), undefined)).toContain(expected);
});

test('settings, comment and grants name the new database, and nothing else in them changes', () => {
  const name = 'DATABASE "x"';
  const quoted = '"DATABASE ""x"""';
  const entries = [
    entry({ id: 1, kind: 'DATABASE', name }),
    entry({
      id: 2,
      kind: 'COMMENT',
      name: '',
      dependencies: [1],
      definition: `COMMENT ON DATABASE ${quoted} IS 'DATABASE ${quoted}; x';\n`,
    }),
    entry({
      id: 3,
      kind: 'ACL',
      name: '',
      dependencies: [1],
      definition: `REVOKE CONNECT,TEMPORARY ON DATABASE ${quoted} FROM PUBLIC;\nGRANT CONNECT ON DATABASE ${quoted} TO app;\n`,
    }),
    entry({
      id: 4,
      kind: 'DATABASE PROPERTIES',
      name,
      definition: `ALTER DATABASE ${quoted} SET search_path TO 'a;b';\nALTER ROLE app IN DATABASE ${quoted} SET work_mem TO '1MB';\nALTER DATABASE ${quoted} IS_TEMPLATE = true;\n`,
    }),
    entry({ id: 5, kind: 'ACL', name: '', dependencies: [9], definition: 'GRANT SELECT ON TABLE t TO app;' }),
  ];
  expect(propertyStatements(entries, 'new', { noPrivileges: false })).toEqual([
    `COMMENT ON DATABASE "new" IS 'DATABASE ${quoted}; x'`,
    'REVOKE CONNECT,TEMPORARY ON DATABASE "new" FROM PUBLIC',
    'GRANT CONNECT ON DATABASE "new" TO app',
    `ALTER DATABASE "new" SET search_path TO 'a;b'`,
    `ALTER ROLE app IN DATABASE "new" SET work_mem TO '1MB'`,
  ]);
  expect(propertyStatements(entries, 'new', { noPrivileges: true }).join()).not.toMatch(/GRANT|REVOKE/);
});

test('a replaced database is kept under a name that PostgreSQL takes whole', () => {
  const at = new Date('2026-11-21T03:00:00.123Z');
  expect(keptName('orders', at, ['orders'])).toBe('orders_before_20261121T030000Z');
  const long = keptName('ä'.repeat(31), at, []);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63);
  expect(long).toMatch(/^ä+_before_20261121T030000Z$/);
});

test('a replaced database is never kept under a name that is taken', () => {
  const at = new Date('2026-11-21T03:00:00.123Z');
  const taken: string[] = [];
  // Names that differ only behind what is left of them, replaced within one second.
  for (let count = 0; count < 11; count += 1) taken.push(keptName(`${'o'.repeat(60)}_${count}`, at, taken));
  expect(new Set(taken).size).toBe(11);
  expect(taken.at(1)).toMatch(/^o+_before_20261121T030000Z_2$/);
  expect(taken.every((name) => Buffer.byteLength(name) <= 63)).toBe(true);
});
