import { expect, test } from 'vitest';
import { listOf, readList } from '../../../../src/agent/restore/list-file.ts';
import { type PgRestoreOptions, pgRestoreArgs } from '../../../../src/agent/restore/pg-restore-args.ts';
import { entry } from './archive-writer.ts';

const plain: PgRestoreOptions = {
  archive: '/scratch/dump',
  format: 'Custom',
  database: 'shop',
  listFile: undefined,
  jobs: 1,
  content: 'All',
  clean: false,
  singleTransaction: false,
  exitOnError: false,
  disableTriggers: false,
  noOwner: false,
  noPrivileges: false,
  noTablespaces: false,
  role: '',
};

test('a name goes as a value and is no connection string', () => {
  expect(pgRestoreArgs({ ...plain, database: "host=evil x'y\\", role: '-x; "y"' })).toEqual([
    '--no-password',
    '--verbose',
    '--format=custom',
    "--dbname=dbname='host=evil x\\'y\\\\'",
    '--role=-x; "y"',
    '/scratch/dump',
  ]);
});

test.each([
  [{ clean: true }, ['--clean', '--if-exists']],
  [{ jobs: 4 }, ['--jobs=4']],
  [{ singleTransaction: true, exitOnError: true }, ['--single-transaction', '--exit-on-error']],
  [{ content: 'DataOnly', disableTriggers: true }, ['--data-only', '--disable-triggers']],
  [{ content: 'SchemaOnly' }, ['--schema-only']],
  [{ noOwner: true, noPrivileges: true, noTablespaces: true }, ['--no-owner', '--no-privileges', '--no-tablespaces']],
  [{ listFile: '/tmp/list', format: 'Directory' }, ['--use-list=/tmp/list', '--format=directory']],
] as const)('%j', (options, expected) => {
  expect(pgRestoreArgs({ ...plain, ...options })).toEqual(expect.arrayContaining([...expected]));
});

test('a list has a line an entry, whatever is in the names', () => {
  const entries = [
    entry({ id: 5, kind: 'TABLE', schema: 'a\nb', name: '6; x\r\n7' }),
    entry({ id: 6, kind: 'VIEW', name: 'v' }),
  ];
  expect(listOf(entries).trimEnd().split('\n')).toHaveLength(2);
  expect(readList(listOf(entries), entries)).toEqual(entries);
});

test('a list made by hand keeps its order; comments and unknown numbers are passed over', () => {
  const entries = [entry({ id: 5, kind: 'TABLE', name: 't' }), entry({ id: 6, kind: 'VIEW', name: 'v' })];
  const text = ';\n; Archive\n6; 1259 16386 VIEW public v postgres\n;5; 0 0 TABLE\n99; 1 1 X\n  5\n';
  expect(readList(text, entries).map(({ id }) => id)).toEqual([6, 5]);
});
