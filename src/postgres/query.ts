import { readFile } from 'node:fs/promises';
import { isIP, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client } from 'pg';
import type { ServerAccess } from './access.ts';
import { failureOf } from './failure.ts';

/** Runs one statement, with values for $1, $2, … and gives its rows. int8 and numeric come as text. */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

export interface ConnectionLimits {
  /** Milliseconds until a connection stands; default 15,000. */
  readonly connectTimeout?: number;
  /** statement_timeout in milliseconds; default 60,000; 0 for none. */
  readonly statementTimeout?: number;
  /** Speaks the replication protocol: simple queries only, such as IDENTIFY_SYSTEM. */
  readonly replication?: boolean;
  /** Settings of the session, which a role may have otherwise. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Opens a connection, gives `use` a function to query with, and closes it again. Rejects with a Failure that says what to
 * do (failure.ts), or with the signal's reason; errors of `use` that are not PostgreSQL's pass through.
 */
export async function withConnection<Result>(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
  use: (query: Query) => Promise<Result>,
  limits: ConnectionLimits = {},
): Promise<Result> {
  const { client, socket } = await connect(access, database, signal, limits);
  const onAbort = () => socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await use(async (text, values) => {
      try {
        // A statement with values is prepared, which the replication protocol does not know.
        const { rows } = values === undefined ? await client.query(text) : await client.query(text, [...values]);
        return rows;
      } catch (error) {
        signal.throwIfAborted();
        throw failureOf(error, { access, database });
      }
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    await close({ client, socket });
  }
}

export interface OpenClient {
  readonly client: Client;
  /** Destroyed to end whatever the client waits for. */
  readonly socket: Socket;
}

const closeTimeout = 2000;
/** A network that loses packets closes no connection: the kernel asks the other side after this time of silence. */
const keepAliveAfter = 60_000;
/** A server that hangs does not keep to its own statement_timeout, so that the client gives up after this time more. */
const answerGrace = 10_000;

/** One attempt at a connection: without TLS (false), or with it under these options. */
type Attempt = false | ConnectionOptions;

export async function connect(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
  limits: ConnectionLimits,
): Promise<OpenClient> {
  const attempts = await attemptsFor(access);
  for (const [index, ssl] of attempts.entries()) {
    try {
      return await connectOnce(access, database, ssl, signal, limits);
    } catch (error) {
      signal.throwIfAborted();
      const next = attempts[index + 1];
      if (next !== undefined && mayTryNext(error, next)) continue;
      throw failureOf(error, { access, database });
    }
  }
  throw new Error('no way to connect');
}

async function connectOnce(
  access: ServerAccess,
  database: string,
  ssl: Attempt,
  signal: AbortSignal,
  { connectTimeout = 15_000, statementTimeout = 60_000, replication = false, settings = {} }: ConnectionLimits,
): Promise<OpenClient> {
  const socket = new Socket();
  const client = new Client({
    stream: () => socket,
    host: access.host,
    port: access.port,
    user: access.username,
    password: access.password ?? '',
    database,
    ssl,
    application_name: 'tidemark',
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfter,
    ...(replication ? { replication: 'true' } : timeouts(statementTimeout)),
    ...optionsOf(settings),
  });
  // A connection that breaks while no statement runs is noticed by the next one.
  client.on('error', () => undefined);
  const onAbort = () => socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    return { client, socket };
  } catch (error) {
    await close({ client, socket });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function optionsOf(settings: Readonly<Record<string, string>>): { readonly options?: string } {
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  return options.length === 0 ? {} : { options: options.join(' ') };
}

function timeouts(statement: number): { readonly statement_timeout: number; readonly query_timeout?: number } {
  return { statement_timeout: statement, ...(statement === 0 ? {} : { query_timeout: statement + answerGrace }) };
}

/** A server that has gone cannot say goodbye. */
export async function close({ client, socket }: OpenClient): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), closeTimeout);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
}

/** The ways that libpq tries for each sslmode, in its order (PostgreSQL, "SSL Support"). */
async function attemptsFor({ host, tls }: ServerAccess): Promise<readonly Attempt[]> {
  const certificate = {
    ...(tls.certFile === undefined ? {} : { cert: await readFile(tls.certFile) }),
    ...(tls.keyFile === undefined ? {} : { key: await readFile(tls.keyFile) }),
  };
  const unchecked: Attempt = { ...certificate, rejectUnauthorized: false };
  const checked = async (): Promise<ConnectionOptions> => ({
    ...certificate,
    rejectUnauthorized: true,
    ...(tls.caFile === undefined ? {} : { ca: await readFile(tls.caFile) }),
  });
  const chainOnly = async (): Promise<Attempt> => ({ ...(await checked()), checkServerIdentity: () => undefined });
  switch (tls.mode) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, unchecked];
    case 'prefer':
      return [unchecked, false];
    case 'require':
      // With a certificate authority at hand, libpq checks the chain here too.
      return [tls.caFile === undefined ? unchecked : await chainOnly()];
    case 'verify-ca':
      return [await chainOnly()];
    case 'verify-full':
      return [{ ...(await checked()), ...(isIP(host) === 0 ? { servername: host } : {}) }];
  }
}

/** As libpq: from TLS to plain where the server has none or refuses it for this client, and from plain to TLS likewise. */
function mayTryNext(error: unknown, next: Attempt): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === '28000') return true;
  if (next !== false) return false;
  const message = error instanceof Error ? error.message : '';
  return /does not support SSL|establishing an SSL connection/.test(message) || /^ERR_(SSL|TLS)/.test(String(code));
}
