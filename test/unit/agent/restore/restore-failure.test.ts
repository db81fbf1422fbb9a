import { expect, test } from 'vitest';
import { failureOfRestore } from '../../../../src/agent/restore/restore-failure.ts';

const access = { host: 'db', port: 5432, username: 'app', secret: 'shop/db', tls: { mode: 'prefer' } };
const failure = (said: string) =>
  failureOfRestore(
    { tool: 'pg_restore', how: 'exited with code 1', said },
    { access, database: 'shop' },
    'All is as it was.',
  );

test.each([
  ['ERROR:  role "shop_owner" does not exist', 'RoleMissing', /globals: Restore.*noOwner/],
  ['ERROR:  extension "postgis" is not available', 'ExtensionNotAvailable', /package/],
  ['ERROR:  could not open extension control file "/usr/x": No such file', 'ExtensionNotAvailable', /image/],
  ['ERROR:  permission denied to create extension "postgis"', 'PermissionDenied', /superuser/],
  [
    'ERROR:  cannot drop table a because other objects depend on it\nDETAIL:  view b depends on table a',
    'DependentObjects',
    /view b/,
  ],
  ['ERROR:  relation "a" already exists', 'TargetExists', /onConflict: Clean/],
  ['ERROR:  insert or update on table "a" violates foreign key constraint "b"', 'ForeignKeyViolation', /together/],
  ['ERROR:  duplicate key value violates unique constraint "a_pkey"', 'ConstraintViolation', /Clean/],
  ['ERROR:  must be owner of table a', 'PermissionDenied', /noOwner: true/],
  ['ERROR:  permission denied for schema public', 'PermissionDenied', /credentials/],
  ['unsupported version (1.17) in file header', 'VersionMismatch', /later version/],
  ['ERROR:  invalid byte sequence for encoding "UTF8": 0xfc', 'EncodingMismatch', /create: true/],
  [
    'ERROR:  out of shared memory\nHINT:  You might need to increase max_locks_per_transaction.',
    'TooManyLocks',
    /jobs: 2/,
  ],
  ['ERROR:  invalid locale name: "de_DE.UTF-8"', 'LocaleMissing', /Install it/],
  ['ERROR:  type "shop.state" does not exist', 'MissingDependency', /Restore it too/],
])('%s is %s, and says what to do', (said, reason, words) => {
  const { message, ...rest } = failure(said);
  expect(rest).toMatchObject({ reason, retryable: false });
  expect(message).toMatch(words);
  expect(message).toContain('All is as it was.');
});

test('a lost connection may be tried again', () => {
  expect(failure('server closed the connection unexpectedly')).toMatchObject({ retryable: true });
});
