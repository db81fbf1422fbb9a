/** Everything that this project can say something helpful about when a server or a tool fails. */
export type Fault =
  | 'WrongPassword'
  | 'PasswordRequired'
  | 'UnknownRole'
  | 'AccessRefused'
  | 'DatabaseNotFound'
  | 'DatabaseRefusesConnections'
  | 'HostNotFound'
  | 'HostUnreachable'
  | 'ConnectionRefused'
  | 'ConnectionTimedOut'
  | 'ConnectionLost'
  | 'TooManyConnections'
  | 'ServerStarting'
  | 'ServerShutDown'
  | 'TlsRefused'
  | 'UntrustedCertificate'
  | 'CertificateNameMismatch'
  | 'TlsFailed'
  | 'PermissionDenied'
  | 'RowSecurity'
  | 'VersionMismatch'
  | 'ScratchFull'
  | 'DiskFull'
  | 'TooManyLocks'
  | 'OutOfMemory'
  | 'LockTimeout'
  | 'StatementTimeout'
  | 'RecoveryConflict'
  | 'DataCorrupted'
  | 'CatalogDamaged'
  | 'ForeignServerUnreachable'
  | 'UserMappingMissing'
  | 'NothingMatches'
  | 'InvalidPattern'
  | 'NameNotPossible'
  | 'BadArgument';

type Rule = readonly [Fault, RegExp];

/** PostgreSQL, "Error Codes". A code that means several things is told apart by textRules first. */
const bySqlState: Readonly<Record<string, Fault>> = {
  '28P01': 'WrongPassword',
  '28000': 'AccessRefused',
  '3D000': 'DatabaseNotFound',
  '42501': 'PermissionDenied',
  '53300': 'TooManyConnections',
  '53100': 'DiskFull',
  '53200': 'OutOfMemory',
  '55P03': 'LockTimeout',
  '57014': 'StatementTimeout',
  '57P01': 'ServerShutDown',
  '57P02': 'ServerShutDown',
  '57P03': 'ServerStarting',
  '57P04': 'DatabaseNotFound',
  '40001': 'RecoveryConflict',
  '08000': 'ConnectionLost',
  '08003': 'ConnectionLost',
  '08006': 'ConnectionLost',
  XX001: 'DataCorrupted',
  XX002: 'DataCorrupted',
};

const byNodeCode: Readonly<Record<string, Fault>> = {
  ENOTFOUND: 'HostNotFound',
  EAI_AGAIN: 'HostNotFound',
  ECONNREFUSED: 'ConnectionRefused',
  ETIMEDOUT: 'ConnectionTimedOut',
  EHOSTUNREACH: 'HostUnreachable',
  ENETUNREACH: 'HostUnreachable',
  ECONNRESET: 'ConnectionLost',
  EPIPE: 'ConnectionLost',
  ERR_TLS_CERT_ALTNAME_INVALID: 'CertificateNameMismatch',
  CERT_HAS_EXPIRED: 'UntrustedCertificate',
  CERT_NOT_YET_VALID: 'UntrustedCertificate',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'UntrustedCertificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'UntrustedCertificate',
  UNABLE_TO_GET_ISSUER_CERT: 'UntrustedCertificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UntrustedCertificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'UntrustedCertificate',
};

/** What servers, libpq, the tools and the `pg` package write, from the telling to the general. */
const textRules: readonly Rule[] = [
  ['VersionMismatch', /server version mismatch|aborting because of server version/],
  ['NameNotPossible', /database name contains a newline or carriage return/],
  [
    'InvalidPattern',
    /cross-database references are not implemented|improper (qualified|relation) name|invalid regular expression/,
  ],
  // The server's own words about another one, before those about itself.
  ['ForeignServerUnreachable', /could not connect to server "/],
  ['UserMappingMissing', /user mapping not found/],
  ['NothingMatches', /no matching (tables|schemas|extensions|foreign servers|databases) (were|was) found/],
  [
    'BadArgument',
    /unrecognized option|option '.*' (requires|doesn't allow) an argument|invalid (option|argument)|Try ".*--help"/,
  ],
  ['WrongPassword', /password authentication failed|PAM authentication failed|LDAP authentication failed/],
  [
    'PasswordRequired',
    /no password supplied|client password must be a (non-empty )?string|empty password returned by client/,
  ],
  ['UnknownRole', /role ".*" does not exist/],
  [
    'AccessRefused',
    /no pg_hba\.conf entry|pg_hba\.conf rejects|authentication failed for user|is not permitted to log in|valid client certificate|certificate authentication failed|alert certificate required/,
  ],
  ['DatabaseRefusesConnections', /is not currently accepting connections/],
  ['DatabaseNotFound', /FATAL:.*database ".*" does not exist/],
  ['TooManyConnections', /too many (clients already|connections for)|remaining connection slots are reserved/],
  [
    'ServerStarting',
    /the database system is (starting up|in recovery mode|not yet accepting connections|not accepting connections)/,
  ],
  ['ServerShutDown', /the database system is shutting down|terminating connection due to administrator command/],
  ['HostNotFound', /could not translate host name|Name or service not known|Temporary failure in name resolution/],
  ['ConnectionRefused', /Connection refused/],
  ['HostUnreachable', /No route to host|Network is unreachable/],
  ['ConnectionTimedOut', /timeout expired|Connection timed out|connection timeout|Query read timeout/],
  ['TlsRefused', /does not support SSL/],
  ['CertificateNameMismatch', /does not match host name|ERR_TLS_CERT_ALTNAME_INVALID/],
  [
    'UntrustedCertificate',
    /certificate verify failed|root certificate file ".*" does not exist|self.signed certificate|certificate has expired/,
  ],
  [
    'TlsFailed',
    /SSL error|could not (load|read|open) (private key|certificate)|private key file|establishing an SSL connection/,
  ],
  ['RowSecurity', /row-level security policy/],
  ['PermissionDenied', /permission denied|must be (owner|superuser)|Only roles with|user may lack SELECT privilege/],
  ['TooManyLocks', /max_locks_per_transaction/],
  ['RecoveryConflict', /conflict with recovery/],
  // pg_dump bounds its wait for locks by the time-out of statements.
  ['LockTimeout', /lock timeout|could not obtain lock|statement timeout[\s\S]*Query was: LOCK TABLE/],
  ['StatementTimeout', /statement timeout/],
  [
    'DataCorrupted',
    /invalid page in block|missing chunk number|could not read block|could not open file "(base|global|pg_tblspc)\/|compressed .*data is corrupt|unexpected chunk number/,
  ],
  [
    'CatalogDamaged',
    /cache lookup failed|failed sanity check|could not open relation with OID|\b\w+ with OID \d+ (does not exist|not found)|could not find (tuple|function definition|block ID)|unrecognized .* in catalog|missing pg_\w+ entr/,
  ],
  ['DiskFull', /(ERROR|FATAL|PANIC):.*No space left on device/],
  ['ScratchFull', /No space left on device/],
  ['OutOfMemory', /out of (shared )?memory/],
  [
    'ConnectionLost',
    /server closed the connection unexpectedly|Connection terminated|connection to server was lost|terminating connection|Connection reset/,
  ],
];

/** Faults that a server's SQLSTATE lumps together, so that the text decides where it can be read. */
const ambiguous: ReadonlySet<string> = new Set([
  '28000',
  '42501',
  '53200',
  '55000',
  '57014',
  '57P03',
  '58P01',
  '22023',
]);

/** What went wrong, from a SQLSTATE or a Node error code and the text; undefined where neither is known. */
export function recognize(code: string | undefined, text: string): Fault | undefined {
  const byText = () => textRules.find(([, expression]) => expression.test(text))?.[0];
  const byState = known(bySqlState, code);
  if (byState !== undefined && !ambiguous.has(code ?? '')) return byState;
  return known(byNodeCode, code) ?? byText() ?? byState ?? tlsFault(code);
}

/** A server may say `constructor`. */
function known(faults: Readonly<Record<string, Fault>>, code: string | undefined): Fault | undefined {
  return code !== undefined && Object.hasOwn(faults, code) ? faults[code] : undefined;
}

function tlsFault(code: string | undefined): Fault | undefined {
  return code !== undefined && /^ERR_(SSL|TLS|OSSL)/.test(code) ? 'TlsFailed' : undefined;
}
