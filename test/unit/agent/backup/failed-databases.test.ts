import { expect, test } from 'vitest';
import { tellFailed } from '../../../../src/agent/backup/failed-databases.ts';

const failed = (name: string, message = 'The role may not read table t. Run: GRANT …') => ({
  name,
  reason: 'PermissionDenied',
  message,
});

test('names the databases, where the others are, why and what to do', () => {
  expect(tellFailed([failed('a'), failed('new\nline')], 3, '20261121T030000Z-logical')).toBe(
    '2 of 3 databases could not be dumped: a, "new\\nline". What could be dumped is stored in 20261121T030000Z-logical, and can be restored from this BackupRun by the names of the databases; it does not count as a successful backup. a (PermissionDenied): The role may not read table t. Run: GRANT … "new\\nline" (PermissionDenied): The role may not read table t. Run: GRANT …',
  );
});

test('says that nothing was stored', () => {
  expect(tellFailed([failed('a'), failed('b')], 2)).toMatch(/^2 of 2 .* a, b\. Nothing was stored\. a \(Perm/);
});

test('has room in a status however many there are, and however long each is', () => {
  const many = Array.from({ length: 500 }, (_, index) => failed(`database ${index}`, 'x'.repeat(1500)));
  const told = tellFailed(many, 501, '20261121T030000Z-logical');
  expect(told.length).toBeLessThanOrEqual(3600);
  expect(told).toMatch(/and 470 more \(status\.databases\)/);
});
