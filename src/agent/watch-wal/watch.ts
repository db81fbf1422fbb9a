import { setTimeout as delay } from 'node:timers/promises';
import type { WalGap, WalStatus } from '../../api/backup-policy.ts';
import { Failure, terminal, transient } from '../../domain/failure.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import { historyName } from '../../domain/wal/file-name.ts';
import type { Lsn } from '../../domain/wal/lsn.ts';
import { readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import { openReplication } from '../../postgres/replication/connection.ts';
import { unforeseen } from '../report-of.ts';
import { removeArchiving, setUpArchiving } from './apply-settings.ts';
import { type NamedArchive, openArchives } from './archives.ts';
import { bounded, describeOutage, describeWal, leastArchived, type Observed, type Verdict } from './describe.ts';
import { findRefusals } from './explain-refusal.ts';
import { type CommitFinder, findCommits } from './find-commits.ts';
import { createLagClock } from './lag.ts';
import { acknowledgedBy, readArchiver, readPosition, type WalPosition } from './observe-server.ts';
import type { Pace, WatchContext } from './run-watch.ts';
import { fetchHistory } from './stream/history.ts';
import { createReceiverState, receiveWal } from './stream/receive.ts';
import { dropSlot, readSlot, slotWarning } from './stream/slot.ts';
import { forbidSynchronous } from './stream/synchronous.ts';
import { type ArchiveTracker, trackArchive, usualTracking } from './track-archive.ts';

export interface Watch {
  /** One look at the server and its archive; does what is to be done. */
  look(signal: AbortSignal): Promise<WalStatus>;
  close(): Promise<void>;
}

interface Watched extends NamedArchive {
  readonly tracker: ArchiveTracker;
  readonly commits: CommitFinder;
}

/** What is known of one server, from the first look on. */
interface Memory {
  readonly systemIdentifier: string;
  readonly archives: readonly Watched[];
}

/** `recalled`: what an earlier watcher has said, and whose archive it is, above all. */
export function createWatch(context: WatchContext, pace: Pace, recalled: WalStatus = {}): Watch {
  const { task, log, folders } = context;
  const ending = new AbortController();
  const receiver = createReceiverState();
  const lag = createLagClock();
  let receiving: Promise<void> | undefined;
  let memory: Memory | undefined;
  let historyStored = 1;
  let slotDropped = false;
  let proven = false;
  const refusals = findRefusals();
  let told = recalled;
  let looking: Promise<Found | Failure> | undefined;
  const access = () => readAccess(task.server, task.namespace, folders?.access);

  const remember = async (systemIdentifier: string): Promise<Memory> => {
    if (memory !== undefined) return memory;
    const opened = await openArchives(task, systemIdentifier, folders?.mountRoot);
    const tracking = pace.tracking ?? usualTracking;
    const archives = opened.map((each) => ({
      ...each,
      tracker: trackArchive(each.archive, tracking),
      commits: findCommits(each.archive),
    }));
    memory = { systemIdentifier, archives };
    return memory;
  };
  const receive = ({ systemIdentifier, archives }: Memory) => {
    const pauses = pace.reconnect === undefined ? {} : { pauses: pace.reconnect };
    receiving ??= receiveWal(
      { task, systemIdentifier, access, archives, log, ...pauses },
      receiver,
      AbortSignal.any([context.signal, ending.signal]),
    );
  };
  /** A server that was promoted before it was archived brings no history of its own accord. */
  const provideHistory = async (server: ChosenServer, timeline: number, known: Memory, signal: AbortSignal) => {
    if (timeline === historyStored) return undefined;
    try {
      await storeHistory(server, timeline, known.archives, signal);
      historyStored = timeline;
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      return historyTrouble(timeline, error);
    }
  };
  const lookAtMode = async (query: Query, server: ChosenServer): Promise<Observed['mode']> => {
    if (task.mode === 'Stream') {
      receiver.forbidden = await forbidSynchronous(query);
      return { kind: 'Stream', slot: await readSlot(query, task.slot), receiver };
    }
    const setting = await setUpArchiving(query, server, task.archiveTimeoutSeconds);
    const archiver = await readArchiver(query);
    // What another mode left would keep WAL for ever.
    if (setting.state === 'Set' && !slotDropped) slotDropped = await dropSlot(query, task.slot);
    return { kind: 'Archive', setting, archiver };
  };
  /** A store that hangs must not keep the slot from being watched: one look at it goes on while the slot is told of. */
  const awaitArchives = async (
    server: ChosenServer,
    known: Memory,
    position: WalPosition,
    mode: Observed['mode'],
    signal: AbortSignal,
  ): Promise<Found | { readonly outage: Failure; readonly mode: Observed['mode'] }> => {
    if (mode.kind === 'Archive') return lookAtArchives(known.archives, position, mode, signal);
    looking ??= lookAtArchives(known.archives, position, mode, signal)
      .catch((error: unknown) => (error instanceof Failure ? error : unforeseen(error)))
      .finally(() => {
        looking = undefined;
      });
    const pending = looking;
    for (;;) {
      const found = await Promise.race([pending, delay(pace.look, undefined, { signal })]);
      if (found instanceof Failure) return { outage: found, mode };
      if (found !== undefined) return found;
      const slot = await withConnection(server.access, task.server.database, signal, (query) =>
        readSlot(query, task.slot),
      );
      if (slot !== undefined && slotWarning(slot, position.segmentSize) !== undefined)
        return { outage: slowArchive(), mode: { ...mode, slot } };
    }
  };
  return {
    async look(signal) {
      const server = await chooseServer({ ...task.server, role: 'Primary' }, await access(), signal);
      const expected =
        task.systemIdentifier ?? recalled.systemIdentifier ?? memory?.systemIdentifier ?? server.facts.systemIdentifier;
      const isOther = server.facts.systemIdentifier !== expected;
      if (task.mode === 'None') return isOther ? removed(undefined) : await takeBack(task, server, signal);
      if (isOther) throw otherServer(expected, server);
      requirePrimary(server);
      const known = await remember(expected);
      const { position, mode } = await withConnection(server.access, task.server.database, signal, async (query) => {
        const found = await readPosition(query);
        return { position: found, mode: await lookAtMode(query, server) };
      });
      // Only now, since the look may have found that it must not.
      if (task.mode === 'Stream') receive(known);
      const archives = mode.kind === 'Archive' && mode.setting.state === 'Set';
      const trouble = archives ? await provideHistory(server, position.timeline, known, signal) : undefined;
      const refusal = archives ? await refusals.look(mode.archiver, position, known.archives, { signal }) : undefined;
      const found = await awaitArchives(server, known, position, mode, signal);
      // That the archive cannot be looked at is the very time when the slot must be.
      if ('outage' in found) return describeOutage(told, found.mode, found.outage, position.segmentSize, new Date());
      const least = leastArchived(found.archives.map(({ state }) => state));
      if (!proven && isSetUp(mode)) {
        proven = true;
        if (least?.end === undefined || isLeftBehind(least.end, position, mode)) {
          await closeFirstSegment(server, task, signal, log);
        }
      }
      const lagSeconds =
        least?.end === undefined
          ? undefined
          : lag.seconds({
              now: new Date(),
              current: position.current,
              end: least.end,
              segmentSize: position.segmentSize,
              storedTime: least.storedTime,
              closedAfter: closedAfter(task, mode),
            });
      const { systemIdentifier } = known;
      told = describeWal({ systemIdentifier, position, mode, refusal, trouble, lagSeconds, ...found }, new Date());
      return told;
    },
    async close() {
      ending.abort();
      await receiving;
      await Promise.allSettled((memory?.archives ?? []).map(({ archive }) => archive.store.close()));
    },
  };
}

type Found = Pick<Observed, 'archives' | 'lastCommit' | 'gaps'>;

function slowArchive(): Failure {
  return transient('StoreUnreachable', 'The repository has not answered yet.');
}

async function lookAtArchives(
  watched: readonly Watched[],
  position: WalPosition,
  mode: Observed['mode'],
  signal: AbortSignal,
): Promise<Found> {
  const acknowledged = acknowledgedIn(mode, position);
  const archives = await Promise.all(
    watched.map(async ({ name, tracker, commits }) => ({
      name,
      commits,
      state: await tracker.look({ ...position, acknowledged }, { signal }),
    })),
  );
  const gaps = new Map<string, WalGap>();
  for (const { commits, state } of archives) {
    for (const gap of await commits.describeGaps(state, { signal })) gaps.set(`${gap.fromWal}-${gap.toWal}`, gap);
  }
  const least = leastArchived(archives.map(({ state }) => state));
  const slowest = archives.find(({ state }) => state === least);
  const lastCommit = slowest === undefined ? undefined : await slowest.commits.lastCommit(slowest.state, { signal });
  return { archives, gaps: [...gaps.values()], lastCommit };
}

function acknowledgedIn(mode: Observed['mode'], { timeline, segmentSize }: WalPosition) {
  if (mode.kind === 'Archive') return acknowledgedBy(mode.archiver, segmentSize);
  const end = mode.slot?.restart;
  return end === undefined ? undefined : { timeline, end };
}

/** Who closes a segment that is not full. */
function closedAfter(task: WatchWalTask, mode: Observed['mode']): number | undefined {
  const nobody =
    task.archiveTimeoutSeconds === 0 || (mode.kind === 'Stream' && mode.receiver.switchDenied !== undefined);
  return nobody ? undefined : task.archiveTimeoutSeconds;
}

function isSetUp(mode: Observed['mode']): boolean {
  return mode.kind === 'Archive' ? mode.setting.state === 'Set' : mode.slot !== undefined;
}

/** What was written while nothing was archived never comes; only a later segment in the archive shows that. */
function isLeftBehind(end: Lsn, { current, segmentSize }: WalPosition, mode: Observed['mode']): boolean {
  return mode.kind === 'Archive' && mode.archiver.pending === 0 && end + BigInt(segmentSize) <= current;
}

/** An idle server closes no segment for hours; the first one shows that archiving works, before it is needed. */
async function closeFirstSegment(
  { access }: ChosenServer,
  task: WatchWalTask,
  signal: AbortSignal,
  log: WatchContext['log'],
): Promise<void> {
  try {
    await withConnection(access, task.server.database, signal, (query) => query('SELECT pg_catalog.pg_switch_wal()'));
  } catch (error) {
    signal.throwIfAborted();
    log.info({ err: error }, 'the first segment is closed by the server itself, when it is full or too old');
  }
}

/** Everything that is ours on the server: settings and slot. */
async function takeBack(task: WatchWalTask, server: ChosenServer, signal: AbortSignal): Promise<WalStatus> {
  requirePrimary(server);
  return withConnection(server.access, task.server.database, signal, async (query) => {
    const setting = await removeArchiving(query, server);
    if (setting.state !== 'Removed') return removed(setting);
    const dropped = await dropSlot(query, task.slot);
    return dropped ? removed(undefined) : { report: slotInUse(task.slot) };
  });
}

function removed(refused: NonNullable<WalStatus['setting']> | undefined): WalStatus {
  const time = new Date().toISOString();
  if (refused !== undefined) {
    const { reason = refused.state, message = '' } = refused;
    return { setting: bounded(refused), report: bounded({ healthy: false, reason, message, time }) };
  }
  const message = 'Nothing of Tidemark is set in the server any more; it takes effect with its next start.';
  return { setting: { state: 'Removed' }, report: { healthy: true, reason: 'Removed', message, time } };
}

function slotInUse(slot: string): NonNullable<WalStatus['report']> {
  const message = `Somebody still receives from the slot ${slot}, so it is not dropped yet. It is tried again; if it stays so, see pg_stat_replication for who it is.`;
  return { healthy: false, reason: 'SlotInUse', message, time: new Date().toISOString() };
}

async function storeHistory(
  server: ChosenServer,
  timeline: number,
  archives: readonly NamedArchive[],
  signal: AbortSignal,
): Promise<void> {
  const present = await Promise.all(archives.map(({ archive }) => archive.has(historyName(timeline), { signal })));
  if (present.every((each) => each)) return;
  const replication = await openReplication(server.access, signal);
  try {
    await fetchHistory(replication, timeline, archives, signal);
  } finally {
    await replication.close();
  }
}

function historyTrouble(timeline: number, { message }: Failure): Verdict {
  return {
    reason: 'HistoryMissing',
    message: `The server is on timeline ${timeline}, and the archive does not know how it came there: ${historyName(timeline)} is missing, without which no recovery goes along it. It could not be fetched: ${message}`,
  };
}

function otherServer(expected: string, { access, facts }: ChosenServer): Failure {
  return terminal(
    'OtherServer',
    `The server at ${access.host}:${access.port} has the system identifier ${facts.systemIdentifier}, and this policy protects ${expected}: it is another server, or one that was made anew. Its WAL is not stored here. Give it a policy of its own; or, to have this policy protect it from now on, set suspend: true, wait for the condition's reason Suspended, and set suspend: false.`,
  );
}

function requirePrimary({ access, facts }: ChosenServer): void {
  if (facts.role === 'Primary') return;
  throw terminal(
    'NoPrimary',
    `${access.host}:${access.port} is a standby, and an archive is kept for a primary. Name the primary in source.host.`,
  );
}
