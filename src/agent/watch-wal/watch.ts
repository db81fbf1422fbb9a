import type { WalStatus } from '../../api/backup-policy.ts';
import { terminal } from '../../domain/failure.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import type { Lsn } from '../../domain/wal/lsn.ts';
import { readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import { setUpArchiving } from './apply-settings.ts';
import { type NamedArchive, openArchives } from './archives.ts';
import { type ArchiveAsker, createArchiveAsker, notAnswering } from './ask-archives.ts';
import { describeOutage, describeWal, heldArchive, type Observed } from './describe.ts';
import { leftTimeline } from './fence.ts';
import { createHeartbeat } from './heartbeat.ts';
import { createLagClock } from './lag.ts';
import { readArchiver, readPosition, type WalPosition } from './observe-server.ts';
import type { Pace, WatchContext } from './run-watch.ts';
import { createReceiverState, receiveWal } from './stream/receive.ts';
import { dropSlot, readSlot, slotWarning } from './stream/slot.ts';
import { forbidSynchronous } from './stream/synchronous.ts';
import { removed, takeBack } from './take-back.ts';
import { usualTracking } from './track-archive.ts';

export interface Watch {
  /** One look at the server and its archive; does what is to be done. */
  look(signal: AbortSignal): Promise<WalStatus>;
  close(): Promise<void>;
}

/** What is known of one server, from the first look on. */
interface Memory {
  readonly systemIdentifier: string;
  readonly archives: readonly NamedArchive[];
  readonly asker: ArchiveAsker;
}

/** A repository may take as long as this many looks to answer, before it is said that it does not. */
const patientLooks = 3;

/** `recalled`: what an earlier watcher has said, and whose archive it is, above all. */
export function createWatch(context: WatchContext, pace: Pace, recalled: WalStatus = {}): Watch {
  const { task, log, folders } = context;
  const ending = new AbortController();
  const receiver = createReceiverState();
  const lag = createLagClock();
  let receiving: Promise<void> | undefined;
  let memory: Memory | undefined;
  let slotDropped = false;
  let proven = false;
  let told = recalled;
  const access = () => readAccess(task.server, task.namespace, folders?.access);
  const heartbeat = createHeartbeat({ task, access, log, signal: context.signal });

  const remember = async (systemIdentifier: string): Promise<Memory> => {
    if (memory !== undefined) return memory;
    const archives = await openArchives(task, systemIdentifier, folders?.mountRoot);
    const asker = createArchiveAsker(archives, pace.tracking ?? usualTracking, pace.look, log);
    memory = { systemIdentifier, archives, asker };
    return memory;
  };
  const receive = ({ systemIdentifier, archives }: Memory) => {
    const pauses = pace.reconnect === undefined ? {} : { pauses: pace.reconnect };
    receiving ??= receiveWal(
      { task, systemIdentifier, access, archives, log, quiet: pace.quiet, ...pauses },
      receiver,
      AbortSignal.any([context.signal, ending.signal]),
    );
  };
  const lookAtMode = async (query: Query, server: ChosenServer): Promise<Observed['mode']> => {
    if (task.mode === 'Stream') {
      receiver.forbidden = await forbidSynchronous(query);
      return { kind: 'Stream', slot: await readSlot(query, task.slot), receiver };
    }
    const setting = await setUpArchiving(query, server, task.archiveTimeoutSeconds, task.summarizeWal);
    const archiver = await readArchiver(query);
    // What another mode left would keep WAL for ever.
    if (setting.state === 'Set' && !slotDropped) slotDropped = await dropSlot(query, task.slot);
    return { kind: 'Archive', setting, archiver };
  };
  /** That the archive cannot be looked at is the very time when the slot must be. */
  const waitFor = (server: ChosenServer, { segmentSize }: WalPosition, mode: Observed['mode'], signal: AbortSignal) => {
    let latest = mode;
    let waited = 0;
    const patience = async () => {
      waited += 1;
      if (mode.kind === 'Stream') {
        const slot = await withConnection(server.access, task.server.database, signal, (query) =>
          readSlot(query, task.slot),
        );
        latest = { ...mode, slot };
        if (slot !== undefined && slotWarning(slot, segmentSize) !== undefined) return notAnswering();
      }
      return waited > patientLooks ? notAnswering() : undefined;
    };
    return { patience, latest: () => latest };
  };
  return {
    async look(signal) {
      const server = await chooseServer({ ...task.server, role: 'Primary' }, await access(), signal);
      const expected =
        task.systemIdentifier ?? recalled.systemIdentifier ?? memory?.systemIdentifier ?? server.facts.systemIdentifier;
      const isOther = server.facts.systemIdentifier !== expected;
      if (task.mode === 'None' && isOther) return removed();
      if (isOther) throw otherServer(expected, server);
      requirePrimary(server);
      if (task.mode === 'None') return takeBack(task, server, signal);
      const known = await remember(expected);
      const { position, mode } = await withConnection(server.access, task.server.database, signal, async (query) => {
        const found = await readPosition(query);
        return { position: found, mode: await lookAtMode(query, server) };
      });
      // Only now, since the look may have found that it must not.
      if (task.mode === 'Stream') receive(known);
      await requireNoStepBack(told, position, known.archives, signal);
      if (isSetUp(mode)) heartbeat?.begin(expected);
      const { patience, latest } = waitFor(server, position, mode, signal);
      const found = await known.asker.ask({ server, position, mode }, patience, signal);
      if (!('archives' in found)) return describeOutage(told, latest(), found, position.segmentSize, new Date());
      const least = heldArchive(
        found.archives.map(({ state }) => state),
        found.minimum,
      );
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
      told = describeWal(
        { systemIdentifier, position, mode, lagSeconds, heartbeat: heartbeat?.told(), ...found },
        new Date(),
      );
      return told;
    },
    async close() {
      ending.abort();
      await heartbeat?.close();
      await receiving;
      await memory?.asker.close();
      await Promise.allSettled((memory?.archives ?? []).map(({ archive }) => archive.store.close()));
    },
  };
}

/** An old primary that came back may be found before the one whose WAL is archived: what it says of itself is not told. */
async function requireNoStepBack(
  { timeline: before = 0 }: WalStatus,
  position: WalPosition,
  archives: readonly NamedArchive[],
  signal: AbortSignal,
): Promise<void> {
  if (position.timeline >= before) return;
  const left = await leftTimeline(position, archives, { signal }, before);
  if (left !== undefined) throw terminal(left.reason, left.message);
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

function otherServer(expected: string, { access, facts }: ChosenServer) {
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
