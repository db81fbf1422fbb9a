import type { ServerContext } from './failure.ts';
import type { Fault } from './recognize.ts';

export interface Advice {
  readonly reason: string;
  readonly retryable: boolean;
  /** What failed and what to do now; what the server said is added by the caller. */
  readonly text: string;
}

type Say = (at: Facts) => string;
interface Facts {
  readonly server: string;
  readonly role: string;
  /** Quoted as SQL. */
  readonly roleName: string;
  readonly database: string;
  readonly databaseName: string;
  readonly secret: string;
  readonly tls: string;
  readonly said: string;
}

/** A person must mend it: trying again is of no use. */
const mend: Partial<Record<Fault, Say>> = {
  WrongPassword: ({ server, role, secret }) =>
    `The server ${server} refused the password of the role ${role}. Put the right username and password into Secret ${secret}; a new attempt reads it anew.`,
  PasswordRequired: ({ server, role, secret }) =>
    `The server ${server} asks for a password of the role ${role}, and Secret ${secret} has none. Put it into the Secret's key password.`,
  UnknownRole: ({ server, roleName, secret }) =>
    `A role is missing on the server ${server}. If it is the one of Secret ${secret}, make it: CREATE ROLE ${roleName} LOGIN PASSWORD '…'.`,
  AccessRefused: ({ server, role, database, tls }) =>
    `The server ${server} does not let the role ${role} in from here, for database ${database} (TLS mode ${tls}). Add a line to its pg_hba.conf for the agent's pods, and look whether it wants TLS (source.tls.mode) or a client certificate.`,
  DatabaseNotFound: ({ server, database }) =>
    `There is no database ${database} on the server ${server}. Correct the name, or make the database.`,
  DatabaseRefusesConnections: ({ server, database }) =>
    `The database ${database} on ${server} allows no connections. Exclude it (logical.databases.exclude), or allow them: ALTER DATABASE … ALLOW_CONNECTIONS true.`,
  TlsRefused: ({ server, tls }) =>
    `The server ${server} speaks no TLS, and source.tls.mode is ${tls}. Switch ssl on in the server, or choose another mode.`,
  UntrustedCertificate: ({ server }) =>
    `The certificate of the server ${server} cannot be verified. Put the authority that signed it into the Secret of source.tls.caSecretRef, or renew the certificate if it has expired.`,
  CertificateNameMismatch: ({ server }) =>
    `The certificate of the server ${server} names another host. Use the host name that the certificate names, have one made for this name, or choose tls.mode verify-ca.`,
  TlsFailed: ({ server, tls }) =>
    `A TLS connection to ${server} could not be made (mode ${tls}). Check source.tls and, where there is one, the client certificate and its key.`,
  PermissionDenied: (at) => permission(at),
  RowSecurity: ({ roleName, said }) =>
    `Row-level security would hide rows of ${named(said, /for table "([^"]+)"/, 'a table')} from this role, and a backup without them would not be one. As a superuser, run: ALTER ROLE ${roleName} BYPASSRLS; or exclude the table.`,
  VersionMismatch: ({ server }) =>
    `The server ${server} is newer than the tool. Upgrade Tidemark to a version whose agent image knows this PostgreSQL.`,
  ScratchFull: ({ database }) =>
    `The scratch space ran full while database ${database} was worked on. Raise jobTemplate.scratch.size, or for a backup use format: Custom, which needs none.`,
  TooManyLocks: ({ database }) =>
    `Database ${database} has more tables than the server can lock at once. Raise max_locks_per_transaction and restart the server.`,
  DataCorrupted: ({ server, database }) =>
    `The server ${server} cannot read its own data in database ${database}: it is damaged. Keep your earlier backups, look at the server's log and disks, and run pg_amcheck.`,
  NothingMatches: ({ database }) =>
    `Nothing in database ${database} matches what logical.schemas or logical.tables asks for. Correct the patterns (they are psql's: unquoted letters match in lower case).`,
  BadArgument: () =>
    'The tool does not take one of its arguments. Look at logical.extraArgs: it may not fit the tool of this PostgreSQL version.',
};

/** It may pass by itself. */
const pass: Partial<Record<Fault, Say>> = {
  HostNotFound: ({ server }) =>
    `The name of the server ${server} is not known to the cluster's DNS. Check source.host, or whether the workload's pods run.`,
  HostUnreachable: ({ server }) =>
    `There is no way to the server ${server}. Check the address, network policies and firewalls.`,
  ConnectionRefused: ({ server }) =>
    `Nothing listens at ${server}. Check that the server runs, the port, and listen_addresses.`,
  ConnectionTimedOut: ({ server }) =>
    `The server ${server} did not answer in time. Check the address, network policies and firewalls.`,
  ConnectionLost: ({ server }) =>
    `The connection to the server ${server} broke. Look at the server's log for the cause.`,
  TooManyConnections: ({ server, roleName }) =>
    `The server ${server} has no free connection. Raise max_connections, lower logical.jobs, or raise the role's limit: ALTER ROLE ${roleName} CONNECTION LIMIT -1.`,
  ServerStarting: ({ server }) => `The server ${server} is starting, recovering, or not accepting connections yet.`,
  ServerShutDown: ({ server }) => `The server ${server} was shut down or ended the connection.`,
  DiskFull: ({ server }) => `The disk of the server ${server} is full. Give it room.`,
  OutOfMemory: ({ server }) => `There was not enough memory for what was asked of ${server}.`,
  LockTimeout: ({ database }) =>
    `Somebody held a lock in database ${database} for too long (a migration, VACUUM FULL, TRUNCATE). Run the backup at a quieter time.`,
  StatementTimeout: ({ server, roleName }) =>
    `The server ${server} cancelled a statement. If the role has a statement_timeout, lift it: ALTER ROLE ${roleName} SET statement_timeout = 0.`,
  RecoveryConflict: ({ server }) =>
    `The standby ${server} cancelled the backup, because replay would not wait for it. Set hot_standby_feedback = on or a larger max_standby_streaming_delay there, or source.role: Primary.`,
};

/** Faults that are told under another's name, because a person looks for that. */
const reasons: Partial<Record<Fault, string>> = { ScratchFull: 'DiskFull' };

export function advice(fault: Fault, said: string, { access, database }: ServerContext): Advice {
  const facts: Facts = {
    server: `${access.host}:${access.port}`,
    role: access.username,
    roleName: quoteIdentifier(access.username),
    database,
    databaseName: quoteIdentifier(database),
    secret: access.secret,
    tls: access.tls.mode,
    said,
  };
  const terminal = mend[fault];
  const say = terminal ?? pass[fault];
  return { reason: reasons[fault] ?? fault, retryable: terminal === undefined, text: say?.(facts) ?? fault };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Names the object and the GRANT that opens it. */
function permission({ said, role, roleName, database, databaseName }: Facts): string {
  const [, kind = '', object = ''] =
    /permission denied for (table|view|materialized view|sequence|schema|database|large object|function|foreign server|tablespace|relation) "?([^"\s]+)"?/.exec(
      said,
    ) ?? [];
  const denied = `The role ${role} may not read ${kind === '' ? 'what the work needs' : `${kind} ${object}`} in database ${database}. `;
  const everything = `GRANT pg_read_all_data TO ${roleName} (PostgreSQL 14 and later)`;
  switch (kind) {
    case 'database':
      return `${denied}Run: GRANT CONNECT ON DATABASE ${databaseName} TO ${roleName}.`;
    case 'schema':
      return `${denied}Run: GRANT USAGE ON SCHEMA ${quoteIdentifier(object)} TO ${roleName}; or ${everything}.`;
    case 'sequence':
      return `${denied}Run: GRANT SELECT ON SEQUENCE ${lockedName(said) ?? quoteIdentifier(object)} TO ${roleName}; or ${everything}.`;
    case 'large object':
      return `${denied}Run: GRANT SELECT ON LARGE OBJECT ${object} TO ${roleName}; or leave them out with logical.largeObjects: Exclude.`;
    case 'table':
    case 'view':
    case 'relation':
    case 'materialized view':
      return `${denied}Run: GRANT SELECT ON TABLE ${lockedName(said) ?? quoteIdentifier(object)} TO ${roleName}; or ${everything}.`;
    default:
      return `${denied}Give it the right, or use a role that has it; for reading everything: ${everything}.`;
  }
}

/** pg_dump shows its query, in which the name is whole and quoted as SQL wants it. */
function lockedName(said: string): string | undefined {
  return /(?:LOCK TABLE|FROM ONLY|COPY|FROM) ((?:"(?:[^"]|"")+"|[\w$]+)\.(?:"(?:[^"]|"")+"|[\w$]+))/.exec(said)?.[1];
}

function named(said: string, expression: RegExp, otherwise: string): string {
  const name = expression.exec(said)?.[1];
  return name === undefined ? otherwise : `table ${name}`;
}
