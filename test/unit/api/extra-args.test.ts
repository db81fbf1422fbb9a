import { expect, test } from 'vitest';
import { logical } from '../../../src/api/logical.ts';

const takes = (option: string) => logical.safeParse({ extraArgs: [option] }).success;

test.each([
  '--no-comments',
  '--extension=hstore',
  '--exclude-extension=hstore',
  '--encoding=UTF8',
  '--statistics',
  '--no-statistics',
  '--section=pre-data',
  '--strict-names',
  '--lock-wait-timeout=10s',
  '--quote-all-identifiers',
  '--table-and-children=public.t',
  '--exclude-table-and-children=public.t',
  '--exclude-table-data-and-children=public.t',
  '--include-foreign-data=far',
  '--load-via-partition-root',
  '--no-publications',
  '--no-security-labels',
  '--no-tablespaces',
  '--no-unlogged-table-data',
  '--rows-per-insert=100',
  '--column-inserts',
  '--serializable-deferrable',
  '--sequence-data',
  '--superuser=postgres',
  '--disable-triggers',
  '--verbose',
])('%s goes to pg_dump', (option) => {
  expect(takes(option)).toBe(true);
});

test.each([
  ...['--file=x', '--format=plain', '--host=h', '--dbname=x', '--password', '--role=r', '--jobs=2', '--compress=9'],
  ...['--enable-row-security', '--enable', '--no-synchronized-snapshots', '--binary-upgrade', '--restrict-key=abc'],
  ...['--schema-only', '--data-only', '--no-data', '--no-schema', '--statistics-only', '--statistics-on'],
  ...['--schema=a', '--table=a', '--tab=a', '--exclude-table=a', '--exclude-schema=a', '--exclude-table-data=a'],
  ...['--clean', '--if-exists', '--create', '--no-owner', '--no-acl', '--large-objects', '--no-large-objects'],
  ...['--snapshot=1', '--filter=f', '--no-sync', '--version', '--help'],
])('%s does not: it is for Tidemark or for a field to say', (option) => {
  expect(takes(option)).toBe(false);
});
