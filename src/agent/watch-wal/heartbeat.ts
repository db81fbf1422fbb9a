import { setTimeout as delay } from 'node:timers/promises';
import type { WalStatus } from '../../api/backup-policy.ts';
import { Failure } from '../../domain/failure.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import { heartbeatPrefix } from '../../domain/wal/heartbeat-message.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { chooseServer } from '../../postgres/choose-server.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import type { AgentLog } from '../log.ts';
import { unforeseen } from '../report-of.ts';

export interface Heartbeat {
  /** Begins where that is not done yet, with the server whose system identifier this is and no other. */
  begin(systemIdentifier: string): void;
  /** For the policy's status; undefined before the first try. */
  told(): WalStatus['heartbeat'];
  close(): Promise<void>;
}

interface HeartbeatContext {
  readonly task: WatchWalTask;
  readonly access: () => Promise<ServerAccess>;
  readonly log: Pick<AgentLog, 'info' | 'warn'>;
  readonly signal: AbortSignal;
}

/** undefined where nobody asked for one. It hinders nothing: what keeps it from beating is said, and tried again. */
export function createHeartbeat({ task, access, log, signal }: HeartbeatContext): Heartbeat | undefined {
  const { heartbeatSeconds } = task;
  if (heartbeatSeconds === undefined || task.mode === 'None') return undefined;
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  let running: Promise<void> | undefined;
  let said: WalStatus['heartbeat'];

  const say = (next: NonNullable<WalStatus['heartbeat']>) => {
    const time = next.time ?? said?.time;
    if (next.reason !== undefined && next.reason !== said?.reason) log.warn({ reason: next.reason }, next.message);
    said = { ...next, ...(time === undefined ? {} : { time }) };
  };
  const pause = () => delay(heartbeatSeconds * 1000, undefined, { signal: until });
  const beatOn = async (systemIdentifier: string) => {
    const server = await chooseServer({ ...task.server, role: 'Primary' }, await access(), until);
    if (server.facts.systemIdentifier !== systemIdentifier) return say(otherServer);
    await withConnection(server.access, task.server.database, until, async (query) => {
      // That a standby is away must not keep it; what counts is that the primary has it.
      await query('SET synchronous_commit = local');
      for (;;) {
        const trouble = await beat(query, heartbeatSeconds);
        say(trouble ?? { time: new Date().toISOString() });
        if (trouble !== undefined) return;
        await pause();
      }
    });
  };
  const run = async (systemIdentifier: string) => {
    while (!until.aborted) {
      try {
        await beatOn(systemIdentifier);
      } catch (error) {
        if (until.aborted) return;
        const { reason, message } = error instanceof Failure ? error : unforeseen(error);
        say({ reason, message: [...message].slice(0, 1024).join('') });
      }
      await pause().catch(() => undefined);
    }
  };
  return {
    begin(systemIdentifier) {
      running ??= run(systemIdentifier);
    },
    told: () => said,
    async close() {
      ending.abort();
      await running;
    },
  };
}

const otherServer = {
  reason: 'OtherServer',
  message: 'No heartbeat is written: the server that answers is not the one that is protected.',
};

const standby = {
  reason: 'NoPrimary',
  message: 'No heartbeat is written: the server is a standby just now, which writes no WAL of its own.',
};

const readOnly = {
  reason: 'ReadOnly',
  message:
    'No heartbeat is written: the server is set to be read-only (default_transaction_read_only), and that is respected. A drill goes by the times of commits as long.',
};

interface Beat {
  readonly standby: boolean;
  readonly readonly: boolean;
}

/**
 * A transaction that holds nothing but a message in the WAL (PostgreSQL, "Replication Management Functions"): its commit
 * has a time. No table, no privilege; logical subscribers are not sent it unless they ask for messages.
 */
async function beat(query: Query, seconds: number): Promise<WalStatus['heartbeat']> {
  const [row] = await query<Beat>(
    "SELECT pg_catalog.pg_is_in_recovery() AS standby, pg_catalog.current_setting('transaction_read_only')::bool AS readonly",
  );
  if (row?.standby === true) return standby;
  if (row?.readonly === true) return readOnly;
  await query('SELECT pg_catalog.pg_logical_emit_message(true, $1, $2::text)', [heartbeatPrefix, String(seconds)]);
  return undefined;
}
