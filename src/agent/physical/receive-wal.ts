import { randomBytes } from 'node:crypto';
import { transient } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { historyName, segmentNameAt } from '../../domain/wal/file-name.ts';
import { formatLsn, type Lsn } from '../../domain/wal/lsn.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import type { Position } from '../../postgres/replication/base-backup.ts';
import { type CopyBoth, openReplication, type Replication } from '../../postgres/replication/connection.ts';
import { type Compression, compressedSuffix, compressor } from '../../stream/compress.ts';
import { storeStream } from '../backup/store-stream.ts';
import type { Target } from '../backup/targets.ts';
import type { AgentLog } from '../log.ts';
import { decodeFrame, encodeStatus } from '../watch-wal/stream/frames.ts';
import { createFeed, type Feed } from './feed.ts';

/** Receives the WAL of a backup while it is made, so that it needs no archive. */
export interface WalReceiver {
  /** From the segment that holds this position on. `fail` is told what ends it before its time. */
  start(from: Position, segmentSize: number, fail: (error: unknown) => void): Promise<void>;
  /** All up to this position is stored when it resolves, in whole segments. */
  finish(end: Lsn): Promise<readonly StoredObject[]>;
  close(): Promise<void>;
}

export interface WalReceiverOptions {
  readonly server: ChosenServer;
  readonly targets: readonly Target[];
  /** Of the backup. */
  readonly compression: Compression;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
  /** Milliseconds after which a server that says nothing is taken for dead; default 60,000. */
  readonly quiet?: number | undefined;
}

/** Opened before the backup begins: from then on the server keeps its WAL for the temporary slot. */
export async function openWalReceiver(options: WalReceiverOptions): Promise<WalReceiver> {
  const { targets, log, signal, quiet = 60_000 } = options;
  const { access, facts } = options.server;
  const packing = packingOf(options.compression);
  const replication = await openReplication(access, signal, { major: facts.major });
  const slot = await makeSlot(replication, log, signal);
  const stored: StoredObject[] = [];
  let receiving: Receiving | undefined;
  let done: Promise<void> = Promise.resolve();
  const store = (name: string, input: AsyncIterable<Buffer>) =>
    storeStream({
      targets,
      path: `wal/${name}${compressedSuffix(packing)}`,
      stages: [compressor(packing)],
      input,
      signal,
    }).then((object) => void stored.push(object));
  return {
    async start({ lsn, timeline }, segmentSize, fail) {
      if (timeline > 1) await store(historyName(timeline), history(replication, timeline));
      const begin = lsn - (lsn % BigInt(segmentSize));
      const using = slot === undefined ? '' : `SLOT "${slot}" `;
      const copy = replication.copyBoth(`START_REPLICATION ${using}PHYSICAL ${formatLsn(begin)} TIMELINE ${timeline}`);
      const heard = performance.now();
      receiving = { copy, timeline, segmentSize, begin, position: begin, end: undefined, heard, store, signal };
      const timer = setInterval(beat, Math.min(beatEvery, quiet / 4), receiving, access, quiet, fail);
      done = receive(receiving).finally(() => clearInterval(timer));
      done.catch(fail);
    },
    async finish(end) {
      if (receiving === undefined) throw new Error('WAL that is not received has no end');
      receiving.end = end;
      // The answer wakes a reader for whom all has come already.
      tell(receiving, true);
      await done;
      return stored.toSorted((one, other) => (one.path < other.path ? -1 : 1));
    },
    close: () => replication.close(),
  };
}

/** WAL is packed always, and quickly: it has to keep up with the server. */
function packingOf({ algorithm }: Compression): Compression {
  return { algorithm: algorithm === 'none' ? 'zstd' : algorithm, level: 1 };
}

async function makeSlot(replication: Replication, log: AgentLog, signal: AbortSignal): Promise<string | undefined> {
  const name = `tidemark_backup_${randomBytes(6).toString('hex')}`;
  try {
    await replication.query(`CREATE_REPLICATION_SLOT "${name}" TEMPORARY PHYSICAL RESERVE_WAL`);
    return name;
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, 'no temporary replication slot; the server must keep its WAL by wal_keep_size');
    return undefined;
  }
}

async function* history(replication: Replication, timeline: number): AsyncGenerator<Buffer, void, void> {
  const [row] = await replication.query<{ readonly content: string | Buffer }>(`TIMELINE_HISTORY ${timeline}`);
  yield Buffer.from(row?.content ?? '');
}

interface Receiving {
  readonly copy: CopyBoth;
  readonly timeline: number;
  readonly segmentSize: number;
  readonly begin: Lsn;
  position: Lsn;
  end: Lsn | undefined;
  /** When the server was last heard; undefined while what it has sent is being stored. */
  heard: number | undefined;
  readonly store: (name: string, input: AsyncIterable<Buffer>) => Promise<void>;
  readonly signal: AbortSignal;
}

interface Segment {
  readonly feed: Feed;
  readonly stored: Promise<void>;
  left: number;
}

async function receive(state: Receiving): Promise<void> {
  let segment: Segment | undefined;
  for await (const message of state.copy.messages) {
    state.heard = undefined;
    const frame = decodeFrame(message);
    if (frame.kind === 'Keepalive') {
      if (frame.replyWanted) tell(state, false);
    } else {
      if (frame.start !== state.position) {
        throw transient(
          'WalOutOfOrder',
          `The server sent WAL of ${formatLsn(frame.start)} instead of ${formatLsn(state.position)}. Start the backup again.`,
        );
      }
      for (let at = 0; at < frame.data.length; ) {
        segment ??= openSegment(state);
        const bytes = frame.data.subarray(at, at + segment.left);
        at += bytes.length;
        segment.left -= bytes.length;
        state.position += BigInt(bytes.length);
        await segment.feed.write(bytes);
        if (segment.left > 0) continue;
        await closeSegment(segment, state);
        segment = undefined;
      }
    }
    state.heard = performance.now();
    if (state.end === undefined || state.position < state.end) continue;
    if (segment !== undefined) await fillUp(segment, state);
    return;
  }
  throw transient(
    'WalEnded',
    `The server stopped sending WAL at ${formatLsn(state.position)} on timeline ${state.timeline}, before the backup was complete: it was promoted or shut down. Start the backup again.`,
  );
}

function openSegment({ position, timeline, segmentSize, store, signal }: Receiving): Segment {
  const feed = createFeed(signal);
  const stored = store(segmentNameAt(timeline, position, segmentSize), feed.stream);
  // It is awaited when the segment is whole.
  stored.catch(() => undefined);
  return { feed, stored, left: segmentSize };
}

async function closeSegment({ feed, stored }: Segment, state: Receiving): Promise<void> {
  feed.end();
  await stored;
  tell(state, false);
}

/** Behind the backup's end nothing is needed, and a segment has its size. */
async function fillUp(segment: Segment, state: Receiving): Promise<void> {
  const zeros = Buffer.alloc(64 * 1024);
  for (; segment.left > 0; segment.left -= Math.min(segment.left, zeros.length)) {
    await segment.feed.write(zeros.subarray(0, segment.left));
  }
  await closeSegment(segment, state);
}

/** Milliseconds. */
const beatEvery = 10_000;

/**
 * Says now and then that this side lives, also while a repository is slow: the server gives up who says nothing for its
 * wal_sender_timeout. And asks it the same.
 */
function beat(state: Receiving, { host, port }: ServerAccess, quiet: number, fail: (error: unknown) => void): void {
  if (state.signal.aborted) return;
  const silent = state.heard === undefined ? 0 : performance.now() - state.heard;
  if (silent < quiet) {
    tell(state, silent > quiet / 4);
    return;
  }
  fail(
    transient(
      'ServerSilent',
      `The server ${host}:${port} has sent no WAL and no sign of life for ${Math.round(silent / 1000)} s while the backup was made: the process that sends hangs, or the connection is dead. Look at the server's log; it is tried again.`,
    ),
  );
}

/** What has been received is told, so that the server does not take this for dead; the slot is temporary. */
function tell({ copy, position }: Receiving, replyWanted: boolean): void {
  copy.send(encodeStatus({ written: position, flushed: position, now: new Date(), replyWanted }));
}
