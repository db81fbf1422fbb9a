import { expect, test } from 'vitest';
import { planGlobals } from '../../../../src/agent/restore/plan-globals.ts';

const script = `--
\\restrict key
SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'other';
CREATE ROLE "odd; role";
COMMENT ON ROLE "odd; role" IS 'x';
COMMENT ON ROLE postgres IS 'y';
ALTER ROLE app SET work_mem TO '5MB';
ALTER ROLE app IN DATABASE shop SET work_mem TO '5MB';
ALTER ROLE postgres SET work_mem TO '5MB';
GRANT "odd; role" TO app WITH INHERIT TRUE GRANTED BY postgres;
GRANT pg_monitor TO postgres GRANTED BY postgres;
CREATE TABLESPACE fast OWNER app LOCATION '/fast';
CREATE TABLESPACE slow OWNER app LOCATION '/slow';
GRANT CREATE ON TABLESPACE fast TO app;
GRANT ALL ON TABLESPACE slow TO app;
GRANT SET ON PARAMETER work_mem TO app;
GRANT SET ON PARAMETER work_mem TO postgres;
`;

test('only statements about new roles and tablespaces are run', () => {
  const present = { roles: new Set(['postgres', 'pg_monitor']), tablespaces: new Set(['slow']) };
  const plan = planGlobals(script, present);
  expect(plan.statements.map(({ text }) => text)).toEqual([
    'CREATE ROLE app',
    "ALTER ROLE app WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b'",
    'CREATE ROLE "odd; role"',
    'COMMENT ON ROLE "odd; role" IS \'x\'',
    "ALTER ROLE app SET work_mem TO '5MB'",
    "ALTER ROLE app IN DATABASE shop SET work_mem TO '5MB'",
    'GRANT "odd; role" TO app WITH INHERIT TRUE GRANTED BY postgres',
    "CREATE TABLESPACE fast OWNER app LOCATION '/fast'",
    'GRANT CREATE ON TABLESPACE fast TO app',
    'GRANT SET ON PARAMETER work_mem TO app',
  ]);
  expect(plan).toMatchObject({
    newRoles: ['app', 'odd; role'],
    presentRoles: ['postgres'],
    newTablespaces: ['fast'],
  });
});

test('what is said of a statement never holds a password', () => {
  const { statements } = planGlobals(script, { roles: new Set(), tablespaces: new Set() });
  expect(statements.map(({ subject }) => subject).join()).not.toMatch(/SCRAM|other/);
});
