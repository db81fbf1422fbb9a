import { describe, expect, test } from 'vitest';
import { transient } from '../../../src/domain/failure.ts';
import { errorLines, failureOf, failureOfTool } from '../../../src/postgres/failure.ts';

const context = {
  access: { host: 'db', port: 5432, username: 'back"up', secret: 'shop/db-backup', tls: { mode: 'require' } },
  database: 'orders',
};

const errorWith = (message: string, code?: string, more: object = {}) =>
  Object.assign(new Error(message), code === undefined ? {} : { code }, more);

describe('an error of the server, by its SQLSTATE, whatever tongue it speaks', () => {
  test.each([
    ['28P01', 'Passwort-Authentifizierung für Benutzer »backup« fehlgeschlagen', 'WrongPassword', false],
    ['28000', 'kein pg_hba.conf-Eintrag für Host', 'AccessRefused', false],
    ['28000', 'role "nobody" does not exist', 'UnknownRole', false],
    ['28000', 'connection requires a valid client certificate', 'AccessRefused', false],
    ['3D000', 'Datenbank »orders« existiert nicht', 'DatabaseNotFound', false],
    ['55000', 'database "orders" is not currently accepting connections', 'DatabaseRefusesConnections', false],
    ['42501', 'keine Berechtigung für Tabelle orders', 'PermissionDenied', false],
    ['42501', 'query would be affected by row-level security policy for table "orders"', 'RowSecurity', false],
    ['53300', 'sorry, too many clients already', 'TooManyConnections', true],
    ['53100', 'could not extend file: No space left on device', 'DiskFull', true],
    ['53200', 'out of shared memory; You might need to increase max_locks_per_transaction.', 'TooManyLocks', false],
    ['53200', 'nicht genug Speicher', 'OutOfMemory', true],
    ['55P03', 'canceling statement due to lock timeout', 'LockTimeout', true],
    ['57014', 'canceling statement due to statement timeout', 'StatementTimeout', true],
    ['57P01', 'terminating connection due to administrator command', 'ServerShutDown', true],
    ['57P03', 'the database system is starting up', 'ServerStarting', true],
    ['57P03', 'the database system is shutting down', 'ServerShutDown', true],
    ['40001', 'canceling statement due to conflict with recovery', 'RecoveryConflict', true],
    ['XX001', 'invalid page in block 3 of relation base/1/2', 'DataCorrupted', false],
    ['22012', 'division by zero', 'QueryFailed', true],
  ])('%s %s is %s', (code, message, reason, retryable) => {
    expect(failureOf(errorWith(message, code), context)).toMatchObject({ reason, retryable });
  });
});

describe('an error before the server speaks', () => {
  test.each([
    [errorWith('getaddrinfo ENOTFOUND db', 'ENOTFOUND'), 'HostNotFound'],
    [errorWith('getaddrinfo EAI_AGAIN db', 'EAI_AGAIN'), 'HostNotFound'],
    [errorWith('connect ECONNREFUSED 10.0.0.1:5432', 'ECONNREFUSED'), 'ConnectionRefused'],
    [errorWith('connect EHOSTUNREACH 10.0.0.1:5432', 'EHOSTUNREACH'), 'HostUnreachable'],
    [errorWith('timeout expired'), 'ConnectionTimedOut'],
    [errorWith('Connection terminated unexpectedly'), 'ConnectionLost'],
    [errorWith('read ECONNRESET', 'ECONNRESET'), 'ConnectionLost'],
    [errorWith('The server does not support SSL connections'), 'TlsRefused'],
    [errorWith('self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN'), 'UntrustedCertificate'],
    [errorWith('certificate has expired', 'CERT_HAS_EXPIRED'), 'UntrustedCertificate'],
    [
      errorWith("Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID'),
      'CertificateNameMismatch',
    ],
    [errorWith('wrong version number', 'ERR_SSL_WRONG_VERSION_NUMBER'), 'TlsFailed'],
    [errorWith('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string'), 'PasswordRequired'],
  ])('%s', (error, reason) => {
    expect(failureOf(error, context).reason).toBe(reason);
  });

  test('of several addresses names them all', () => {
    const error = new AggregateError(
      [
        errorWith('connect ECONNREFUSED ::1:1', 'ECONNREFUSED'),
        errorWith('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'),
      ],
      '',
    );
    expect(failureOf(error, context)).toMatchObject({
      reason: 'ConnectionRefused',
      message: expect.stringContaining('::1:1; connect ECONNREFUSED 127.0.0.1:1'),
    });
  });
});

test('a Failure stays what it is', () => {
  const failure = transient('Anything', 'anything');
  expect(failureOf(failure, context)).toBe(failure);
});

describe('what a tool writes', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    [
      'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user "backup"',
      'WrongPassword',
      false,
    ],
    [
      'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: fe_sendauth: no password supplied',
      'PasswordRequired',
      false,
    ],
    [
      'pg_dump: error: connection to server at "db", port 5432 failed: FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "backup", database "orders", no encryption',
      'AccessRefused',
      false,
    ],
    [
      'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  database "orders" does not exist',
      'DatabaseNotFound',
      false,
    ],
    ['pg_dump: error: could not translate host name "db" to address: Name or service not known', 'HostNotFound', true],
    [
      'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?',
      'ConnectionRefused',
      true,
    ],
    [
      'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: timeout expired',
      'ConnectionTimedOut',
      true,
    ],
    [
      'pg_dump: error: connection to server at "db", port 5432 failed: server does not support SSL, but SSL was required',
      'TlsRefused',
      false,
    ],
    [
      'pg_dump: error: connection to server at "db", port 5432 failed: SSL error: certificate verify failed',
      'UntrustedCertificate',
      false,
    ],
    [
      'pg_dump: error: connection to server at "db", port 5432 failed: server certificate for "x" does not match host name "db"',
      'CertificateNameMismatch',
      false,
    ],
    [
      'pg_dump: error: server version: 17.2; pg_dump version: 15.10\npg_dump: error: aborting because of server version mismatch',
      'VersionMismatch',
      false,
    ],
    [
      'pg_dump: error: query failed: ERROR:  permission denied for table order items\npg_dump: detail: Query was: LOCK TABLE public."order items" IN ACCESS SHARE MODE',
      'PermissionDenied',
      false,
    ],
    [
      'pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table "secret"',
      'RowSecurity',
      false,
    ],
    ['pg_dump: error: no matching tables were found', 'NothingMatches', false],
    [
      'pg_dump: unrecognized option \'--frobnicate\'\npg_dump: hint: Try "pg_dump --help" for more information.',
      'BadArgument',
      false,
    ],
    ['pg_dump: error: could not write to file: No space left on device', 'DiskFull', false],
    [
      'pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  could not write to file "base/pgsql_tmp/x": No space left on device',
      'DiskFull',
      true,
    ],
    [
      'pg_dump: error: Dumping the contents of table "t" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: server closed the connection unexpectedly',
      'ConnectionLost',
      true,
    ],
    [
      'pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  canceling statement due to conflict with recovery',
      'RecoveryConflict',
      true,
    ],
    [
      'pg_dump: error: query failed: ERROR:  out of shared memory\nHINT:  You might need to increase max_locks_per_transaction.',
      'TooManyLocks',
      false,
    ],
    [
      'pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  invalid page in block 7 of relation base/16384/16385',
      'DataCorrupted',
      false,
    ],
    ['pg_dump: error: a worker process died unexpectedly', 'ToolKilled', true],
    ['pg_dump: error: something that nobody has seen before', 'ToolFailed', true],
  ];

  test.each(cases)('%s', (stderr, reason, retryable) => {
    expect(failureOfTool({ tool: 'pg_dump', how: 'exited with code 1', stderr }, context)).toMatchObject({
      reason,
      retryable,
    });
  });

  test('is named with the object and the GRANT that opens it', () => {
    const stderr =
      'pg_dump: error: query failed: ERROR:  permission denied for table order items\npg_dump: detail: Query was: LOCK TABLE public."order items", public.other IN ACCESS SHARE MODE';
    const { message } = failureOfTool({ tool: 'pg_dump', how: 'exited with code 1', stderr }, context);
    expect(message).toContain('GRANT SELECT ON TABLE public."order items" TO "back""up"');
  });

  test('is nothing where it was killed: the memory limit is the likely cause', () => {
    const failure = failureOfTool({ tool: 'pg_dump', how: 'was killed by SIGKILL', stderr: '' }, context);
    expect(failure).toMatchObject({
      reason: 'ToolKilled',
      retryable: true,
      message: expect.stringContaining('limits.memory'),
    });
  });

  test.each(['could not connect to database "postgres"', 'could not connect to database'])(
    'is no reason where it got no memory: %s',
    (said) => {
      const stderr = `pg_dumpall: error: ${said}\n`;
      const failure = failureOfTool({ tool: 'pg_dumpall', how: 'exited with code 1', stderr }, context);
      expect(failure).toMatchObject({ reason: 'OutOfMemory', retryable: true });
      expect(failure.message).toMatch(/got no memory to connect to db:5432 with.*It is tried again.*limits\.memory/);
    },
  );

  test('and a reason that there is counts', () => {
    const stderr =
      'pg_dumpall: error: could not connect to database "postgres": FATAL:  database "postgres" does not exist\n';
    const failure = failureOfTool({ tool: 'pg_dumpall', how: 'exited with code 1', stderr }, context);
    expect(failure.reason).toBe('DatabaseNotFound');
  });

  test('is told from its first error on, and briefly', () => {
    const chatter = Array.from({ length: 500 }, (_, index) => `pg_dump: dumping table ${index}`).join('\n');
    expect(errorLines(`${chatter}\npg_dump: error: it broke\npg_dump: detail: here`)).toBe(
      'pg_dump: error: it broke\npg_dump: detail: here',
    );
    expect(errorLines(chatter).length).toBeLessThan(1500);
  });
});

describe('what pg_dump says of a right names the whole object and the GRANT', () => {
  const advised = (stderr: string) => failureOfTool({ tool: 'pg_dump', how: 'exited with code 1', stderr }, context);

  test.each([
    [
      'pg_dump: error: query failed: ERROR:  permission denied for table Order items\npg_dump: detail: Query was: LOCK TABLE a.first, s."Order items", z.last IN ACCESS SHARE MODE',
      'GRANT SELECT ON TABLE s."Order items" TO',
    ],
    [
      'pg_dump: error: query failed: ERROR:  permission denied for sequence Count\npg_dump: detail: Query was: SELECT last_value, is_called FROM public."Count"',
      'GRANT SELECT ON SEQUENCE public."Count" TO',
    ],
    [
      'pg_dump: error: failed to get data for sequence "count"; user may lack SELECT privilege on the sequence or the sequence may have been concurrently dropped',
      'GRANT SELECT ON SEQUENCE "count" TO',
    ],
    ['pg_dump: error: query failed: ERROR:  permission denied for foreign table far', 'GRANT SELECT ON TABLE "far" TO'],
    [
      'pg_dump: error: could not open large object 4711: ERROR:  permission denied for large object 4711',
      'LARGE OBJECT 4711 TO',
    ],
  ])('%s', (stderr, grant) => {
    const failure = advised(stderr);
    expect(failure).toMatchObject({ reason: 'PermissionDenied', retryable: false });
    expect(failure.message).toContain(grant);
  });

  test.each([
    ['database name contains a newline or carriage return: "new\nline"', 'NameNotPossible', false],
    ['pg_dump: error: schema with OID 16388 does not exist', 'CatalogDamaged', false],
    ['pg_dump: error: query failed: ERROR:  cache lookup failed for type 99999', 'CatalogDamaged', false],
    [
      'pg_dump: error: query failed: ERROR:  could not open file "base/5/16388": No such file or directory',
      'DataCorrupted',
      false,
    ],
    [
      'pg_dump: error: query failed: ERROR:  could not connect to server "far"\nDETAIL:  Connection refused',
      'ForeignServerUnreachable',
      true,
    ],
    ['pg_dump: error: query failed: ERROR:  user mapping not found for "reader"', 'UserMappingMissing', false],
    ['pg_dump: error: cross-database references are not implemented: a.b.c', 'InvalidPattern', false],
    [
      'pg_dump: error: query failed: ERROR:  invalid regular expression: parentheses () not balanced',
      'InvalidPattern',
      false,
    ],
    ['psql: error: connection to server at "db", port 5432 failed: Connection refused', 'ConnectionRefused', true],
  ])('%s is %s', (stderr, reason, retryable) => {
    expect(advised(stderr)).toMatchObject({ reason, retryable });
  });
});
