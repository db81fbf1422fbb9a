import { expect, test } from 'vitest';
import { missingTablespaces, requirePrerequisites, rolesOf } from '../../../../src/agent/restore/prerequisites.ts';
import { entry } from './archive-writer.ts';

const options = { noOwner: false, noPrivileges: false, role: '', exitOnError: true };
const server = { roles: new Set(['postgres', 'app']), extensions: new Set(['hstore']) };
const grants = entry({
  id: 1,
  kind: 'ACL',
  name: 'TABLE TO',
  owner: 'keeper',
  definition:
    'REVOKE ALL ON TABLE public."TO" FROM PUBLIC;\nGRANT SELECT ON TABLE public."TO" TO "Reader; x" WITH GRANT OPTION;\nGRANT SELECT(a) ON TABLE t TO app;',
});

test('the roles of owners and grants are found, PUBLIC is none', () => {
  expect(rolesOf([grants], options)).toEqual(['Reader; x', 'app', 'keeper']);
  expect(rolesOf([grants], { noOwner: true, noPrivileges: false })).toEqual(['Reader; x', 'app']);
  expect(rolesOf([grants], { noOwner: true, noPrivileges: true })).toEqual([]);
});

test('missing roles and extensions are refused where the first error would end the restore', () => {
  const extension = entry({ id: 2, kind: 'EXTENSION', name: 'postgis' });
  expect(() => requirePrerequisites([grants], options, server)).toThrow(/roles Reader; x, keeper/);
  expect(() => requirePrerequisites([extension], options, server)).toThrow(/extension postgis/);
  requirePrerequisites([grants, extension], { ...options, exitOnError: false }, server);
  expect(() => requirePrerequisites([], { ...options, role: 'none' }, server)).toThrow(/spec\.role is none/);
});

test('tablespaces that the server lacks are named once', () => {
  const on = (id: number, tablespace: string) => entry({ id, kind: 'TABLE', name: 't', tablespace });
  expect(missingTablespaces([on(1, 'fast'), on(2, ''), on(3, 'fast'), on(4, 'slow')], new Set(['slow']))).toEqual([
    'fast',
  ]);
});
