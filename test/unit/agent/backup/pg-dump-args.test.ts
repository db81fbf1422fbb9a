import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pgDumpArgs } from '../../../../src/agent/backup/pg-dump-args.ts';
import { logical } from '../../../../src/api/logical.ts';

const lockWait = '--lock-wait-timeout=3600000';

const args = (spec: object) => {
  const { format, ...parsed } = logical.parse(spec);
  if (format === 'Directory') throw new Error('a folder is wanted');
  return pgDumpArgs({ format, ...parsed }, { format });
};

describe('each field of spec.logical is an option of pg_dump', () => {
  test.each<readonly [object, readonly string[]]>([
    [{}, ['--blobs']],
    [{ content: 'SchemaOnly' }, ['--schema-only']],
    [{ content: 'DataOnly' }, ['--data-only', '--blobs']],
    [{ schemas: { include: ['a'], exclude: ['b*'] } }, ['--schema=a', '--exclude-schema=b*', '--blobs']],
    [{ schemas: { exclude: ['b'] } }, ['--exclude-schema=b', '--blobs']],
    [
      { tables: { include: ['t'], exclude: ['u'], excludeData: ['v'] } },
      ['--table=t', '--exclude-table=u', '--exclude-table-data=v', '--blobs'],
    ],
    [{ tables: { include: ['t'] }, content: 'SchemaOnly' }, ['--schema-only', '--table=t']],
    [{ tables: { include: ['t'] }, largeObjects: 'Exclude' }, ['--table=t', '--no-blobs']],
    [{ largeObjects: 'Exclude' }, ['--no-blobs']],
    [{ inserts: true, noPrivileges: true }, ['--blobs', '--inserts', '--no-privileges']],
    [{ extraArgs: ['--no-comments', '--extension=hstore'] }, ['--blobs', '--no-comments', '--extension=hstore']],
  ])('%j', (spec, expected) => {
    expect(args(spec)).toEqual(['--no-password', '--compress=0', lockWait, '--format=custom', ...expected]);
  });
});

test('what only a script can hold is asked for in a script', () => {
  expect(args({ format: 'Plain', clean: true, create: true, noOwner: true })).toEqual([
    ...['--no-password', '--compress=0', lockWait, '--format=plain', '--blobs'],
    ...['--clean', '--if-exists', '--create', '--no-owner'],
  ]);
  expect(args({ format: 'Tar' })).toContain('--format=tar');
});

test('the Directory format has its jobs and goes to scratch, which need not survive', () => {
  const spec = logical.parse({ format: 'Directory', jobs: 4 });
  expect(pgDumpArgs(spec, { format: 'Directory', folder: '/scratch/a b' })).toEqual([
    '--no-password',
    '--compress=0',
    lockWait,
    '--format=directory',
    '--file=/scratch/a b',
    '--jobs=4',
    '--no-sync',
    '--blobs',
  ]);
});

test('no name is ever an argument of its own: each stands behind its option', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 63 });
  const names = fc.array(name, { maxLength: 4 });
  const options = /^--(schema|exclude-schema|table|exclude-table|exclude-table-data)=/;
  const own = new Set(['--no-password', '--compress=0', lockWait, '--format=custom', '--blobs']);
  fc.assert(
    fc.property(names, names, names, (first, second, third) => {
      const given = args({
        schemas: { include: first, exclude: second },
        tables: { include: third, exclude: first, excludeData: second },
      });
      const values = given.filter((argument) => !own.has(argument));
      expect(values.every((argument) => options.test(argument))).toBe(true);
      expect(values.map((argument) => argument.slice(argument.indexOf('=') + 1))).toEqual([
        ...first,
        ...second,
        ...third,
        ...first,
        ...second,
      ]);
    }),
  );
});
