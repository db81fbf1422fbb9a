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
    `Row-level security would hide rows of ${guarded(said)} from this role, and a backup without them would not be one. As a superuser, run: ALTER ROLE ${roleName} BYPASSRLS; or exclude the table.`,
  VersionMismatch: ({ server }) =>
    `The server ${server} is newer than the tool. Upgrade Tidemark to a version whose agent image knows this PostgreSQL.`,
  ScratchFull: ({ database }) =>
    `The scratch space ran full while database ${database} was worked on. Raise jobTemplate.scratch.size, or for a backup use format: Custom, which needs none.`,
  TooManyLocks: ({ database }) =>
    `Database ${database} has more tables than the server can lock at once. Raise max_locks_per_transaction and restart the server.`,
  DataCorrupted: ({ server, database }) =>
    `The server ${server} cannot read its own data in database ${database}: it is damaged. Keep your earlier backups, look at the server's log and disks, and run pg_amcheck.`,
  CatalogDamaged: ({ server, database }) =>
    `The system catalog of database ${database} on ${server} contradicts itself, so that it cannot be dumped. Keep your earlier backups, look at the server's log, run pg_amcheck, and drop or mend the object that is named.`,
  UserMappingMissing: ({ role, roleName, database }) =>
    `The data of a foreign table in database ${database} was asked for (--include-foreign-data), and the role ${role} has no user mapping for its server. Make one: CREATE USER MAPPING FOR ${roleName} SERVER …; or take the option out of logical.extraArgs.`,
  NameNotPossible: ({ database }) =>
    `The name of database ${JSON.stringify(database)} has a line break in it, and pg_dump writes none into a script: format Tar holds one, and so does Plain with create. Use format: Custom or Directory, or exclude the database.`,
  InvalidPattern: ({ database }) =>
    `A pattern of logical.schemas or logical.tables cannot be used in database ${database}. It is schema or schema.table, as psql reads them; put a name with dots or other special characters between double quotes.`,
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
    `The server ${server} did not answer in time. Check the address, network policies and firewalls, and whether the server hangs (its disk, a stopped process).`,
  ConnectionLost: ({ server }) =>
    `The connection to the server ${server} broke. Look at the server's log for the cause.`,
  TooManyConnections: ({ server, roleName }) =>
    `The server ${server} has no free connection. Raise max_connections, lower logical.jobs, or raise the role's limit: ALTER ROLE ${roleName} CONNECTION LIMIT -1.`,
  ForeignServerUnreachable: ({ server, said }) =>
    `The data of ${dumpedTable(said) ?? 'a foreign table'} was asked for (--include-foreign-data), and the server ${server} cannot reach the foreign server ${/could not connect to server "([^"]+)"/.exec(said)?.[1] ?? ''}. Look at that server and at the way to it, or take the option out of logical.extraArgs.`,
  ServerStarting: ({ server }) => `The server ${server} is starting, recovering, or not accepting connections yet.`,
  ServerShutDown: ({ server }) => `The server ${server} was shut down or ended the connection.`,
  DiskFull: ({ server }) => `The disk of the server ${server} is full. Give it room.`,
  OutOfMemory: ({ server }) => `There was not enough memory for what was asked of ${server}.`,
  LockTimeout: ({ database }) =>
    `Somebody held a lock in database ${database} for too long (a migration, VACUUM FULL, TRUNCATE, a session that was forgotten). See who: SELECT pid, state, query FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted); and end it, or run the backup at a quieter time.`,
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
  const [, kind = '', object = ''] = denial.exec(said) ?? lackedSequence.exec(said) ?? [];
  const denied = `The role ${role} may not read ${kind === '' ? 'what the work needs' : `${kind} ${object}`} in database ${database}. `;
  const everything = `GRANT pg_read_all_data TO ${roleName} (PostgreSQL 14 and later)`;
  switch (kind) {
    case 'database':
      return `${denied}Run: GRANT CONNECT ON DATABASE ${databaseName} TO ${roleName}.`;
    case 'schema':
      return `${denied}Run: GRANT USAGE ON SCHEMA ${quoteIdentifier(object)} TO ${roleName}; or ${everything}.`;
    case 'sequence':
      return `${denied}Run: GRANT SELECT ON SEQUENCE ${wholeName(said, object)} TO ${roleName}; or ${everything}.`;
    case 'large object':
      return `${denied}Run: GRANT SELECT ON LARGE OBJECT ${object} TO ${roleName}; or leave them out with logical.largeObjects: Exclude.`;
    case 'table':
    case 'foreign table':
    case 'view':
    case 'relation':
    case 'materialized view':
      return `${denied}Run: GRANT SELECT ON TABLE ${wholeName(said, object)} TO ${roleName}; or ${everything}.`;
    default:
      return `${denied}Give it the right, or use a role that has it; for reading everything: ${everything}.`;
  }
}

/** The server does not quote the name. */
const denial =
  /permission denied for (foreign table|table|view|materialized view|sequence|schema|database|large object|function|foreign server|tablespace|relation) (.+)$/m;
/** pg_dump's own words, of PostgreSQL 18 and later. */
const lackedSequence = /data for (sequence) "(.+?)"; user may lack SELECT privilege/;

const part = '(?:"(?:[^"]|"")+"|[\\p{L}_][\\p{L}\\p{N}_$]*)';

/** pg_dump shows its query, in which the name is whole and quoted as SQL wants it; there may be others beside it. */
function wholeName(said: string, object: string): string {
  const names = said.matchAll(new RegExp(`(${part})\\.(${part})`, 'gu'));
  const found = [...names].find(([, , name = '']) => unquoted(name) === object);
  return found?.[0] ?? quoteIdentifier(object);
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

function guarded(said: string): string {
  const name = /for table "(.+?)"$/m.exec(said)?.[1];
  return name === undefined ? 'a table' : `table ${wholeName(said, name)}`;
}

/** Foreign data is read by a query. */
function dumpedTable(said: string): string | undefined {
  const name = new RegExp(`COPY \\(SELECT .* FROM (${part}\\.${part}) `, 'u').exec(said)?.[1];
  return name === undefined ? undefined : `foreign table ${name}`;
}
