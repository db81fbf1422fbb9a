import { Failure, transient } from '../../../domain/failure.ts';
import type { WatchWalTask } from '../../../domain/task.ts';
import { segmentNameAt } from '../../../domain/wal/file-name.ts';
import { formatLsn, type Lsn, parseLsn } from '../../../domain/wal/lsn.ts';
import { checkSegment } from '../../../domain/wal/read-segment.ts';
import { quoteIdentifier } from '../../../postgres/advice.ts';
import type { ChosenServer } from '../../../postgres/choose-server.ts';
import { withConnection } from '../../../postgres/query.ts';
import type { CopyBoth, Replication } from '../../../postgres/replication/connection.ts';
import { largestInMemory } from '../../../repository/large-wal.ts';
import type { CallOptions } from '../../../repository/store.ts';
import { createQuorum, type Quorum } from '../../archive/quorum.ts';
import type { AgentLog } from '../../log.ts';
import type { NamedArchive } from '../archives.ts';
import { assembleSegments } from './assemble.ts';
import { assembleInFiles } from './assemble-in-files.ts';
import { closeSegments } from './close-segments.ts';
import { deliverInOrder, type Parcel } from './deliver.ts';
import { decodeFrame, encodeStatus } from './frames.ts';
import type { ReceiverState } from './receive.ts';

export interface StreamStart {
  /** The beginning of a segment. */
  readonly begin: Lsn;
  readonly timeline: number;
  readonly segmentSize: number;
  /** What the archives hold already. */
  readonly durable: Lsn | undefined;
}

export interface StreamOptions {
  readonly task: WatchWalTask;
  readonly systemIdentifier: string;
  readonly server: ChosenServer;
  readonly replication: Replication;
  readonly archives: readonly NamedArchive[];
  readonly start: StreamStart;
  readonly state: ReceiverState;
  readonly log: AgentLog;
  /** Ends with the connection. */
  readonly session: AbortSignal;
  /** Ends the connection, with the Failure that is to be told. */
  readonly broken: AbortController;
  readonly quiet?: Quiet | undefined;
}

/** Milliseconds after which a server that says nothing is asked, and after which it is taken for dead. */
export interface Quiet {
  readonly ask: number;
  readonly dead: number;
}

/** Bytes of segments that may wait for their repositories. */
const inFlight = 32 * 1024 ** 2;
/** Milliseconds between two looks at what is to be said and done besides receiving. */
const beat = 1000;
const quietBeats = 2;
const usualQuiet: Quiet = { ask: 10_000, dead: 60_000 };

/**
 * Receives one timeline, from the beginning of a segment until the server ends it, and stores it; gives where the next
 * timeline begins. Only what as many repositories as must have it have durably is acknowledged: the server keeps the rest.
 */
export async function streamTimeline(options: StreamOptions): Promise<StreamStart | undefined> {
  const { task, replication, start, state, session } = options;
  const copy = await replication.copyBoth(
    `START_REPLICATION SLOT ${quoteIdentifier(task.slot)} PHYSICAL ${formatLsn(start.begin)} TIMELINE ${start.timeline}`,
  );
  const stream = openStream(options, copy);
  const timer = setInterval(stream.beat, beat);
  state.streaming = true;
  try {
    for await (const message of copy.messages) await stream.take(message);
    session.throwIfAborted();
    await stream.storeTail();
    return await nextTimeline(copy, start);
  } finally {
    clearInterval(timer);
    state.streaming = false;
    await stream.close();
  }
}

interface Stream {
  readonly take: (message: Buffer) => Promise<void>;
  /** Says how far it is, looks whether the server lives, and closes a segment that has waited for long enough. */
  readonly beat: () => void;
  readonly storeTail: () => Promise<void>;
  /** Leaves nothing of the segments behind. */
  readonly close: () => Promise<void>;
}

function openStream(options: StreamOptions, copy: CopyBoth): Stream {
  const { start, state, session, broken, quiet = usualQuiet } = options;
  const isLarge = start.segmentSize > largestInMemory;
  const ending = new AbortController();
  const storing = AbortSignal.any([session, ending.signal]);
  const assembly = (isLarge ? assembleInFiles : assembleSegments)(start.begin, start.segmentSize, start.timeline);
  const closing = closeSegments(options, assembly);
  const quorum = createQuorum({ minimum: options.archives[0]?.minimum, log: options.log });
  let flushed = start.durable ?? 0n;
  let heard = performance.now();
  let waiting = false;
  let beats = 0;
  const say = (replyWanted = false) =>
    copy.send(encodeStatus({ written: assembly.position(), flushed, now: new Date(), replyWanted }));
  const delivery = deliverInOrder({
    atOnce: Math.max(1, Math.min(options.task.maxParallel, Math.floor(inFlight / start.segmentSize))),
    store: async (parcel) => {
      try {
        await storeInMost(parcel, { ...options, session: storing }, quorum);
      } catch (error) {
        if (!ending.signal.aborted) broken.abort(error);
        throw error;
      }
    },
    onDurable: ({ end, content }) => {
      if (end > flushed) flushed = end;
      state.durable = flushed;
      state.failure = undefined;
      state.lost = undefined;
      state.removals = 0;
      assembly.reuse(content);
      if (!session.aborted) say();
    },
  });
  const push = async (parcel: Parcel) => {
    waiting = true;
    await delivery.push(parcel);
    waiting = false;
    heard = performance.now();
  };
  return {
    async take(message) {
      heard = performance.now();
      const frame = decodeFrame(message);
      if (frame.kind === 'Keepalive') {
        if (!frame.replyWanted) return;
        say();
        // A server that is shutting down waits until all it has sent is durable here, which may take long.
        if (frame.serverEnd <= assembly.position() && flushed < assembly.position()) await leaveIfEnding(options);
        return;
      }
      for (const { begin, ...segment } of assembly.add(frame.start, frame.data)) {
        const name = segmentNameAt(start.timeline, begin, start.segmentSize);
        await push({ ...segment, name, end: begin + BigInt(start.segmentSize) });
      }
      state.received = assembly.position();
    },
    beat() {
      if (session.aborted) return;
      if (state.forbidden !== undefined) {
        broken.abort(state.forbidden);
        return;
      }
      const silent = waiting ? 0 : performance.now() - heard;
      if (silent > quiet.dead) broken.abort(silence(options.server.access.host, silent));
      else say(silent > quiet.ask);
      closing.look();
      // What failed before may fail again with the next segment; with nothing to store, it is over.
      beats += 1;
      if (beats > quietBeats && delivery.idle()) state.failure = undefined;
    },
    async storeTail() {
      await delivery.drain();
      const tail = assembly.tail();
      if (tail === undefined) return;
      const name = `${segmentNameAt(start.timeline, tail.begin, start.segmentSize)}.partial`;
      const { content, head, size } = tail;
      await delivery.push({ name, content, head, size, end: assembly.position() });
      await delivery.drain();
    },
    async close() {
      if (!isLarge) return;
      // Their files go only when nobody reads them any more.
      ending.abort(transient('ConnectionLost', 'The connection that brought this segment has ended; it comes again.'));
      await delivery.settled();
      assembly.close();
    },
  };
}

async function storeInMost(
  { name, content, head, size }: Parcel,
  options: StreamOptions,
  quorum: Quorum,
): Promise<void> {
  const { archives, session: signal, systemIdentifier, start, log } = options;
  const partial = name.endsWith('.partial');
  checkSegment(head, name, { systemIdentifier, segmentSize: start.segmentSize }, size);
  const put = async ({ archive }: NamedArchive, call: CallOptions) => {
    try {
      await archive.put(name, content, call);
    } catch (error) {
      // What follows the fork in the server's own copy of this file is left-over bytes, which nobody reads.
      if (!partial || !(error instanceof Failure) || error.reason !== 'WalConflict') throw error;
      log.warn({ name }, 'the last segment of this timeline is there already, as the server archived it');
    }
  };
  await quorum.store(archives, new Set(), put, { signal });
}

/** The server's last word on a timeline: where the next one begins. */
async function nextTimeline(copy: CopyBoth, { segmentSize }: StreamStart): Promise<StreamStart | undefined> {
  const [row] = await copy.finish<{ readonly next_tli: string | number; readonly next_tli_startpos: string }>();
  if (row === undefined) return undefined;
  const fork = parseLsn(row.next_tli_startpos);
  const size = BigInt(segmentSize);
  return { begin: (fork / size) * size, timeline: Number(row.next_tli), segmentSize, durable: fork };
}

/** Ends this connection where the server is on its way down: it would wait for us. What it has not sent yet it keeps. */
async function leaveIfEnding({ server, task, session, broken }: StreamOptions): Promise<void> {
  const signal = AbortSignal.any([session, AbortSignal.timeout(5000)]);
  try {
    await withConnection(server.access, task.server.database, signal, async () => undefined, { connectTimeout: 4000 });
  } catch (error) {
    session.throwIfAborted();
    broken.abort(error);
  }
}

function silence(host: string, milliseconds: number): Failure {
  return transient(
    'ConnectionLost',
    `The server ${host} has sent nothing for ${Math.round(milliseconds / 1000)} s and does not answer. The connection is made anew.`,
  );
}
