import { setTimeout as delay } from 'node:timers/promises';
import { Failure, terminal, transient } from '../../../domain/failure.ts';
import type { WatchWalTask } from '../../../domain/task.ts';
import { formatLsn, type Lsn } from '../../../domain/wal/lsn.ts';
import { timelineAt } from '../../../domain/wal/timeline-history.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../../postgres/choose-server.ts';
import { withConnection } from '../../../postgres/query.ts';
import { openReplication, type Replication } from '../../../postgres/replication/connection.ts';
import type { AgentLog } from '../../log.ts';
import { unforeseen } from '../../report-of.ts';
import type { NamedArchive } from '../archives.ts';
import { heldBy } from '../held-by.ts';
import { readPosition } from '../observe-server.ts';
import { fetchHistory } from './history.ts';
import { requireOwnArchive } from './own-archive.ts';
import { createSlot, readSlot, requireStreaming, type Slot, slotLost } from './slot.ts';
import { type Quiet, type StreamStart, streamTimeline } from './stream-timeline.ts';

/** What the receiver tells; it is read at every tick. */
export interface ReceiverState {
  /** Whether WAL flows now. */
  streaming: boolean;
  /** What ended the last attempt; undefined while it streams. */
  failure: Failure | undefined;
  /** WAL that the server no longer has, said until later WAL is stored. */
  lost: { readonly reason: string; readonly message: string } | undefined;
  /** Why segments are closed by the server alone. */
  switchDenied: string | undefined;
  received: Lsn | undefined;
  /** Stored in as many repositories as must have it, without a hole; the slot is never told of anything beyond. */
  durable: Lsn | undefined;
  /** How often in a row the server had removed what was asked for: first the slot's WAL is taken, then a new slot's. */
  removals: number;
  /** What the receiver must not go on with, found beside it. */
  forbidden: Failure | undefined;
}

export interface ReceiverOptions {
  readonly task: WatchWalTask;
  readonly systemIdentifier: string;
  /** Read anew for each attempt: a password may have changed. */
  readonly access: () => Promise<ServerAccess>;
  readonly archives: readonly NamedArchive[];
  readonly log: AgentLog;
  /** Milliseconds. */
  readonly pauses?: { readonly first: number; readonly longest: number };
  readonly quiet?: Quiet | undefined;
}

export function createReceiverState(): ReceiverState {
  return {
    streaming: false,
    failure: undefined,
    lost: undefined,
    switchDenied: undefined,
    received: undefined,
    durable: undefined,
    removals: 0,
    forbidden: undefined,
  };
}

/** Receives until the signal aborts; what fails is told in the state and tried again. */
export async function receiveWal(options: ReceiverOptions, state: ReceiverState, signal: AbortSignal): Promise<void> {
  const { first, longest } = options.pauses ?? { first: 1000, longest: 30_000 };
  let pause = first;
  while (!signal.aborted) {
    const before = state.durable;
    try {
      await receiveOnce(options, state, signal);
    } catch (error) {
      if (signal.aborted) return;
      state.failure = explain(error, options.task.slot);
      if (isRemoved(state.failure)) state.removals += 1;
      options.log.warn(
        { err: error, reason: state.failure.reason },
        'the stream of WAL ended; it will be taken up again',
      );
    } finally {
      state.streaming = false;
    }
    pause = state.durable === before ? Math.min(pause * 2, longest) : first;
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** One connection, over as many timelines as it goes through. */
async function receiveOnce(options: ReceiverOptions, state: ReceiverState, signal: AbortSignal): Promise<void> {
  const { task, systemIdentifier, archives } = options;
  const server = await chooseServer({ ...task.server, role: 'Primary' }, await options.access(), signal);
  requireSameSystem(systemIdentifier, server.facts.systemIdentifier, server.access);
  if (server.facts.role === 'Standby') {
    throw terminal(
      'NoPrimary',
      `${server.access.host} is a standby. WAL is received from the primary: name it in source.host.`,
    );
  }
  if (state.forbidden !== undefined) throw state.forbidden;
  const slot = await provideSlot(server, options, state, signal);
  const broken = new AbortController();
  const session = AbortSignal.any([signal, broken.signal]);
  const replication = await openReplication(server.access, session, { major: server.facts.major });
  try {
    const [identity] = await replication.query<{ readonly systemid: string; readonly timeline: number | string }>(
      'IDENTIFY_SYSTEM',
    );
    // A service may have led this connection to another server than the one before.
    requireSameSystem(systemIdentifier, BigInt(identity?.systemid ?? 0).toString(), server.access);
    const timeline = Number(identity?.timeline);
    const first = await findStart(server, slot, timeline, replication, options, state, session);
    for (let start: StreamStart | undefined = first; start !== undefined; ) {
      const next = await streamTimeline({ ...options, server, replication, start, state, session, broken });
      if (next !== undefined) await fetchHistory(replication, next.timeline, archives, session);
      start = next;
    }
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    await replication.close();
  }
}

function requireSameSystem(expected: string, found: string, { host, port }: ServerAccess): void {
  if (expected === found) return;
  throw terminal(
    'OtherServer',
    `The server at ${host}:${port} has the system identifier ${found}, and this policy protects ${expected}: it is another server, or one that was made anew. Nothing of it is stored here. Give it a policy of its own; or, to have this policy protect it from now on, set suspend: true, wait for the condition's reason Suspended, and set suspend: false.`,
  );
}

/** A slot that is lost is replaced, and that is said; the gap is what the archive shows then. */
async function provideSlot(
  server: ChosenServer,
  { task, log, archives }: ReceiverOptions,
  state: ReceiverState,
  signal: AbortSignal,
): Promise<Slot> {
  return withConnection(server.access, task.server.database, signal, async (query) => {
    await requireStreaming(query, server.access.username);
    const found = await readSlot(query, task.slot);
    if (found?.restart !== undefined && state.removals < 2) return found;
    if (found !== undefined) {
      state.lost = slotLost(task.slot);
      log.warn({ slot: task.slot, walStatus: found.walStatus }, state.lost.message);
      await query('SELECT pg_catalog.pg_drop_replication_slot($1)', [task.slot]);
    }
    // On a copy of the server it would keep WAL that nobody ever takes.
    await requireOwnArchive(await readPosition(query), undefined, archives, server.access, { signal });
    await createSlot(query, task.slot);
    log.info({ slot: task.slot }, 'made the replication slot');
    const made = await readSlot(query, task.slot);
    if (made?.restart === undefined) throw new Error(`the slot ${task.slot} reserves nothing`);
    return made;
  });
}

/** From the end of what as many archives hold as must; from the slot where there is none yet. */
async function findStart(
  server: ChosenServer,
  slot: Slot,
  timeline: number,
  replication: Replication,
  { task, archives, log }: ReceiverOptions,
  state: ReceiverState,
  signal: AbortSignal,
): Promise<StreamStart> {
  const ancestors = timeline > 1 ? await fetchHistory(replication, timeline, archives, signal) : [];
  const position = await withConnection(server.access, task.server.database, signal, readPosition);
  const restart = slot.restart ?? position.current;
  const acknowledged = { timeline, end: restart };
  const states = await requireOwnArchive({ ...position, timeline }, acknowledged, archives, server.access, { signal });
  const archived = heldBy(
    states.flatMap(({ end }) => (end === undefined ? [] : [end])),
    archives[0]?.minimum,
  );
  const skips = archived !== undefined && state.removals > 0 && archived < restart;
  if (skips) state.lost ??= walRemoved(archived, restart);
  const from = archived === undefined || skips ? restart : archived;
  const size = BigInt(position.segmentSize);
  const begin = (from / size) * size;
  log.info({ from: formatLsn(begin), slot: formatLsn(restart), timeline }, 'receiving WAL');
  return {
    begin,
    timeline: timelineAt(begin, timeline, ancestors),
    segmentSize: position.segmentSize,
    // The slot never goes back: what it has let go of may be gone.
    durable: archived !== undefined && archived >= restart ? archived : undefined,
  };
}

function walRemoved(archived: Lsn, restart: Lsn) {
  return {
    reason: 'WalRemoved',
    message: `The server no longer has the WAL from ${formatLsn(archived)}, where the archive ends, to ${formatLsn(restart)}, where the slot begins. The archive has a gap there, and recovery beyond it needs a new full backup.`,
  };
}

function explain(error: unknown, slot: string): Failure {
  const failure = error instanceof Failure ? error : unforeseen(error);
  const [, pid] = /is active for PID (\d+)/.exec(failure.message) ?? [];
  if (pid === undefined) return failure;
  return transient(
    'SlotInUse',
    `Another receiver is connected to the slot ${slot} (process ${pid} of the server). If it is the one before this, it ends by itself; otherwise end it: SELECT pg_terminate_backend(${pid});`,
    error,
  );
}

function isRemoved(failure: Failure | undefined): boolean {
  return failure !== undefined && /requested WAL segment \w+ has already been removed/.test(failure.message);
}
