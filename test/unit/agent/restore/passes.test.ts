import { expect, test } from 'vitest';
import type { ArchiveEntry } from '../../../../src/agent/restore/archive.ts';
import { passesOf } from '../../../../src/agent/restore/passes.ts';

const entries = (...kinds: readonly string[]): readonly ArchiveEntry[] =>
  kinds.map((kind, index) => ({
    id: index + 1,
    kind: kind.replace(/ of .*/, ''),
    schema: 'public',
    name: kind.replace(/^.* of /, ''),
    owner: 'postgres',
    tablespace: '',
    definition: '',
    dependencies: [],
    section: 'PostData',
  }));

const shown = (all: readonly ArchiveEntry[], jobs: number) =>
  passesOf(all, jobs).map((pass) => [pass.jobs, ...pass.entries.map(({ kind }) => kind)]);

test('one call where no index is attached', () => {
  expect(shown(entries('TABLE', 'TABLE DATA', 'INDEX', 'FK CONSTRAINT'), 4)).toEqual([
    [4, 'TABLE', 'TABLE DATA', 'INDEX', 'FK CONSTRAINT'],
  ]);
});

test('one call where there is one job', () => {
  expect(shown(entries('TABLE', 'INDEX', 'INDEX ATTACH', 'FK CONSTRAINT'), 1)).toEqual([
    [1, 'TABLE', 'INDEX', 'INDEX ATTACH', 'FK CONSTRAINT'],
  ]);
});

test('nothing runs beside the attachment of an index', () => {
  const all = entries('TABLE', 'TABLE DATA', 'INDEX', 'INDEX ATTACH', 'TRIGGER', 'INDEX ATTACH', 'FK CONSTRAINT');
  expect(shown(all, 4)).toEqual([
    [4, 'TABLE', 'TABLE DATA', 'INDEX'],
    [1, 'INDEX ATTACH', 'TRIGGER', 'INDEX ATTACH'],
    [4, 'FK CONSTRAINT'],
  ]);
});

test('grants, event triggers and materialized views stay at the end', () => {
  const all = entries(
    'TABLE',
    'ACL',
    'MATERIALIZED VIEW DATA',
    'INDEX ATTACH',
    'COMMENT of EVENT TRIGGER t',
    'COMMENT of TABLE t',
    'INDEX ATTACH',
    'EVENT TRIGGER',
  );
  expect(shown(all, 2)).toEqual([
    [2, 'TABLE'],
    [1, 'INDEX ATTACH', 'COMMENT', 'INDEX ATTACH'],
    [2, 'ACL', 'MATERIALIZED VIEW DATA', 'COMMENT', 'EVENT TRIGGER'],
  ]);
});

test('no call is empty', () => {
  expect(shown(entries('INDEX ATTACH'), 2)).toEqual([[1, 'INDEX ATTACH']]);
});
