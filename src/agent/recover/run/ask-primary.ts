import { Failure, terminal } from '../../../domain/failure.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import { formatLsn, parseLsn } from '../../../domain/wal/lsn.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { openReplication, type Replication } from '../../../postgres/replication/connection.ts';
import type { Reached } from './follow-server.ts';
import type { StandbyCredentials } from './leave-standby.ts';

type Standby = Pick<RecoverTask, 'namespace' | 'plan' | 'standbyOf'>;

const limits = { connectTimeout: 15_000 };

/** Before anything is touched: the primary lets the role in for replication, and is the server that the backup is of. */
export async function requirePrimary(task: Standby, credentials: StandbyCredentials, signal: AbortSignal) {
  await withPrimary(task, credentials, signal, async (replication, name) => {
    const [row] = await replication.query<{ readonly systemid: string }>('IDENTIFY_SYSTEM');
    const { systemIdentifier, backupID } = task.plan;
    if (row?.systemid === systemIdentifier) return;
    throw terminal(
      'WrongPrimary',
      `${name} of target.instance.standbyOf is another server (system identifier ${row?.systemid ?? 'unknown'}) than the one that backup ${backupID} is of (${systemIdentifier}), and a standby can follow no other. Correct standbyOf.host, or recover without standbyOf.`,
    );
  });
}

/** After replay: the primary still has the WAL that comes next, or else a standby would wait for it for ever. */
export async function requireNextWal(
  task: Standby,
  credentials: StandbyCredentials,
  { lsn, timeline }: Reached,
  signal: AbortSignal,
) {
  await withPrimary(task, credentials, signal, async (replication, name) => {
    // From a segment's beginning, as a standby asks, so that there is something to send at once.
    const size = BigInt(task.plan.segmentSize);
    const last = parseLsn(lsn) - 1n;
    const begin = formatLsn(last - (last % size));
    try {
      const stream = replication.copyBoth(`START_REPLICATION PHYSICAL ${begin} TIMELINE ${timeline}`);
      for await (const _ of stream.messages) return;
    } catch (error) {
      signal.throwIfAborted();
      const said = error instanceof Error ? error.message : String(error);
      throw terminal(
        'StandbyCannotFollow',
        `${name} of target.instance.standbyOf does not send the WAL from ${begin} on timeline ${timeline}, where the archive ends: ${said} Let the archive catch up with the primary (condition ContinuousArchiving of the policy), or raise wal_keep_size there, and create a new PitrRecovery.`,
        error,
      );
    }
  });
}

async function withPrimary(
  { namespace, standbyOf }: Standby,
  { username, password }: StandbyCredentials,
  signal: AbortSignal,
  ask: (replication: Replication, name: string) => Promise<void>,
): Promise<void> {
  if (standbyOf === undefined) return;
  const { host, port, credentialsSecretName } = standbyOf;
  const name = `${host}:${port}`;
  const access: ServerAccess = {
    host,
    port,
    username,
    password,
    // As primary_conninfo, which leaves it to libpq's default.
    tls: { mode: 'prefer' },
    secret: `${namespace}/${credentialsSecretName}`,
  };
  const replication = await openReplication(access, signal, limits).catch((error: unknown) => {
    throw unreachable(error, name);
  });
  try {
    await ask(replication, name);
  } finally {
    await replication.close();
  }
}

function unreachable(error: unknown, name: string): unknown {
  if (!(error instanceof Failure)) return error;
  const { reason, message, retryable, cause } = error;
  return new Failure(
    reason,
    `The server ${name}, which target.instance.standbyOf is to follow, does not take the standby. ${message}`,
    { retryable, cause },
  );
}
