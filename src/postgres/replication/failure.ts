import { Failure } from '../../domain/failure.ts';
import { quoteIdentifier } from '../advice.ts';
import type { ServerContext } from '../failure.ts';

/** What a connection with the replication protocol needs besides what every connection needs. */
export function explainReplication(error: unknown, { access }: ServerContext): unknown {
  if (!(error instanceof Failure)) return error;
  if (error.reason === 'TooManyConnections') return explainSenders(error, `${access.host}:${access.port}`);
  const { reason, retryable } = error;
  const more = advice(reason, access.username, `${access.host}:${access.port}`);
  return more === undefined
    ? error
    : new Failure(reason, `${more} ${error.message}`, { retryable, cause: error.cause });
}

function advice(reason: string, role: string, server: string): string | undefined {
  switch (reason) {
    case 'PermissionDenied':
      return `The role ${role} may not copy the server ${server} or receive its WAL. As a superuser, run: ALTER ROLE ${quoteIdentifier(role)} REPLICATION;`;
    case 'AccessRefused':
      return `The server ${server} does not let the role ${role} in for replication, which pg_hba.conf allows by a line of its own ("all" does not mean it). Add: host replication ${quoteIdentifier(role)} <the network of the agent's pods> scram-sha-256, and reload.`;
    default:
      return undefined;
  }
}

/** The server lumps two limits together, and what to raise is another. */
function explainSenders(error: Failure, server: string): Failure {
  if (!error.message.includes('max_wal_senders')) return error;
  const said = /\(It said: [\s\S]*\)$/.exec(error.message)?.[0] ?? '';
  return new Failure(
    error.reason,
    `No WAL sender is free on ${server}. Raise max_wal_senders (a backup needs one, walMethod Stream two) and restart the server. ${said}`,
    { retryable: error.retryable, cause: error.cause },
  );
}
