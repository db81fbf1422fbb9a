import { describe, expect, test } from 'vitest';
import { keysOf, objectKey } from '../../../../src/agent/restore/object-key.ts';
import { selectObjects } from '../../../../src/agent/restore/select-objects.ts';
import { newDatabase, type TargetCatalog } from '../../../../src/agent/restore/target-catalog.ts';
import { entry } from './archive-writer.ts';

const inShop = { schema: 'shop' };
const all = [
  entry({ id: 1, kind: 'DATABASE', name: 'shop' }),
  entry({ id: 2, kind: 'SCHEMA', name: 'shop' }),
  entry({ id: 3, kind: 'ACL', name: 'SCHEMA shop', dependencies: [2] }),
  entry({ id: 4, kind: 'TYPE', name: 'state', ...inShop, dependencies: [2] }),
  entry({ id: 10, kind: 'TABLE', name: 'customers', ...inShop, dependencies: [2] }),
  entry({ id: 11, kind: 'TABLE DATA', name: 'customers', ...inShop, dependencies: [10] }),
  entry({
    id: 12,
    kind: 'CONSTRAINT',
    name: 'customers customers_pkey',
    ...inShop,
    dependencies: [10],
    section: 'PostData',
  }),
  entry({ id: 20, kind: 'TABLE', name: 'orders', ...inShop, dependencies: [4, 2] }),
  entry({ id: 21, kind: 'SEQUENCE', name: 'orders_id_seq', ...inShop, dependencies: [20, 2] }),
  entry({ id: 22, kind: 'SEQUENCE OWNED BY', name: 'orders_id_seq', ...inShop, dependencies: [21] }),
  entry({ id: 23, kind: 'SEQUENCE SET', name: 'orders_id_seq', ...inShop, dependencies: [21] }),
  entry({ id: 24, kind: 'DEFAULT', name: 'orders id', ...inShop, dependencies: [20, 21] }),
  entry({ id: 25, kind: 'TABLE DATA', name: 'orders', ...inShop, dependencies: [20] }),
  entry({
    id: 26,
    kind: 'FK CONSTRAINT',
    name: 'orders orders_customer_fkey',
    ...inShop,
    dependencies: [12, 10, 20],
    section: 'PostData',
  }),
  entry({
    id: 27,
    kind: 'COMMENT',
    name: 'CONSTRAINT orders_customer_fkey ON orders',
    ...inShop,
    dependencies: [26],
    section: 'Special',
  }),
  entry({ id: 30, kind: 'TABLE', name: 'orders lines', ...inShop, dependencies: [2] }),
  entry({
    id: 31,
    kind: 'TRIGGER',
    name: 'orders lines check',
    ...inShop,
    dependencies: [30, 20],
    section: 'PostData',
  }),
  entry({ id: 40, kind: 'VIEW', name: 'revenue', ...inShop, dependencies: [20] }),
  entry({ id: 50, kind: 'BLOB', name: '9001' }),
  entry({ id: 60, kind: 'TABLE', name: 'days', schema: 'public' }),
  entry({ id: 61, kind: 'TABLE', name: 'days_1', schema: 'public', dependencies: [60] }),
  entry({ id: 62, kind: 'TABLE ATTACH', name: 'days_1', schema: 'public', dependencies: [61, 60] }),
  entry({ id: 63, kind: 'TABLE DATA', name: 'days_1', schema: 'public', dependencies: [61] }),
  entry({ id: 64, kind: 'INDEX', name: 'days_at', schema: 'public', dependencies: [60], section: 'PostData' }),
  entry({ id: 65, kind: 'INDEX', name: 'days_1_at', schema: 'public', dependencies: [61, 64], section: 'PostData' }),
  entry({
    id: 66,
    kind: 'INDEX ATTACH',
    name: 'days_1_at',
    schema: 'public',
    dependencies: [65, 64, 61, 60],
    section: 'PostData',
  }),
];

const none = { include: [], exclude: [] };
const asked = {
  schemas: none,
  tables: none,
  content: 'All',
  sections: [],
  onConflict: 'Fail',
} as const satisfies Parameters<typeof selectObjects>[1];
const tables = (...include: string[]) => ({ ...asked, tables: { include, exclude: [] } });

/** A database that has these entries, by ID, and the schema public. */
function having(...ids: readonly number[]): TargetCatalog {
  const keys = new Set(all.filter(({ id }) => ids.includes(id)).flatMap(keysOf));
  keys.add(objectKey('schema', undefined, 'public'));
  return {
    has: (key) => keys.has(key),
    holds: (one) => keysOf(one).some((key) => keys.has(key)),
    isNew: false,
    hasDefaultPrivileges: false,
  };
}

const ids = (selection: { readonly entries: readonly { readonly id: number }[] }) =>
  selection.entries.map(({ id }) => id);

test('without a choice everything but the database itself is restored', () => {
  const selection = selectObjects(all, asked, newDatabase);
  expect(selection.whole).toBe(true);
  expect(ids(selection)).toEqual(all.slice(1).map(({ id }) => id));
});

describe('a table', () => {
  test('brings all that hangs on it, and no more, where the rest is there', () => {
    const selection = selectObjects(all, tables('orders'), having(2, 4, 10, 12, 30));
    expect(ids(selection)).toEqual([20, 21, 22, 23, 24, 25, 26, 27]);
    expect(selection).toMatchObject({ added: [], leftOut: [], whole: false });
  });

  test('brings what it needs into a new database, without the key to a table that is not there', () => {
    const selection = selectObjects(all, tables('shop.orders'), newDatabase);
    expect(ids(selection)).toEqual([2, 3, 4, 20, 21, 22, 23, 24, 25]);
    expect(selection.added.map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(selection.leftOut.map(({ entry: { id }, without }) => [id, without.id])).toEqual([[26, 10]]);
  });

  test('whose name begins like another one keeps its parts apart', () => {
    expect(ids(selectObjects(all, tables('"orders lines"'), having(2, 4, 20)))).toEqual([30, 31]);
  });

  test('brings the keys of others that point at it back, where they were dropped with it', () => {
    expect(ids(selectObjects(all, tables('customers'), having(2, 20)))).toEqual([10, 11, 12, 26, 27]);
    expect(ids(selectObjects(all, tables('customers'), having(2, 20, 26)))).toEqual([10, 11, 12]);
    expect(ids(selectObjects(all, tables('customers'), having(2)))).toEqual([10, 11, 12]);
  });

  test('that is replaced brings the keys that point at it along, since they hold it', () => {
    const clean = { ...tables('customers'), onConflict: 'Clean' as const };
    expect(ids(selectObjects(all, clean, having(2, 10, 12, 20, 26)))).toEqual([10, 11, 12, 26, 27]);
  });
});

test('a partitioned table is its partitions', () => {
  expect(ids(selectObjects(all, tables('days'), having()))).toEqual([60, 61, 62, 63, 64, 65, 66]);
});

test('an excluded partition stays away', () => {
  const choice = { ...asked, tables: { include: ['days'], exclude: ['days_1'] } };
  expect(ids(selectObjects(all, choice, having()))).toEqual([60, 64]);
});

test('a partition alone is attached after its indexes, which attaches them', () => {
  const selection = selectObjects(all, tables('days_1'), having(60, 64));
  expect(ids(selection)).toEqual([61, 63, 65, 62]);
  expect(selection.inOrderOnly).toBe(true);
});

test('a partition without its parent is a table', () => {
  expect(ids(selectObjects(all, tables('days_1'), having()))).toEqual([61, 63, 65]);
});

test('schemas bring themselves only where they are missing', () => {
  const shop = { ...asked, schemas: { include: ['shop'], exclude: [] } };
  expect(ids(selectObjects(all, shop, having(2)))).not.toContain(2);
  expect(ids(selectObjects(all, shop, having()))).toEqual(
    all.filter(({ id }) => id > 1 && id < 50).map(({ id }) => id),
  );
});

test('what is only excluded from leaves large objects in', () => {
  const choice = { ...asked, schemas: { include: [], exclude: ['shop'] } };
  expect(ids(selectObjects(all, choice, having()))).toEqual([50, 60, 61, 62, 63, 64, 65, 66]);
});

test('content divides into objects and rows', () => {
  expect(ids(selectObjects(all, { ...tables('orders'), content: 'DataOnly' }, having(2, 20)))).toEqual([23, 25]);
  expect(ids(selectObjects(all, { ...tables('orders'), content: 'SchemaOnly' }, having(2, 4, 10, 12)))).toEqual([
    20, 21, 22, 24, 26, 27,
  ]);
});

test.each([
  [tables('shop.ordrs'), 'NothingMatches', /ordrs.*shop\.orders/],
  [{ ...asked, schemas: { include: ['shpo'], exclude: [] } }, 'NothingMatches', /shpo.*shop/],
  [
    { ...tables('orders'), schemas: { include: ['public'], exclude: [] } },
    'NothingMatches',
    /shop\.orders in the backup.*public only/,
  ],
  [tables('revenue'), 'MissingDependency', /view shop\.revenue.*table shop\.orders/],
])('a choice that cannot be is refused', (choice, reason, words) => {
  const select = () => selectObjects(all, choice, having(2));
  expect(select).toThrow(words);
  expect(select).toThrow(expect.objectContaining({ reason, retryable: false }));
});
