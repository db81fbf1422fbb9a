import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { QueryResult } from 'pg';
import { transient } from '../../domain/failure.ts';
import type { ServerAccess } from '../access.ts';
import { failureOf } from '../failure.ts';
import { type ConnectionLimits, close, connect } from '../query.ts';
import { copyIn } from './copy-in.ts';
import { type CopyEvent, readCopies } from './copy-out.ts';
import { explainReplication } from './failure.ts';

/** A connection that speaks the replication protocol (PostgreSQL, "Streaming Replication Protocol"). One command at a time. */
export interface Replication {
  query<Row>(text: string): Promise<readonly Row[]>;
  /** The server sends results and copies in a row: for BASE_BACKUP. Rejects with a Failure. */
  copyOut(text: string): AsyncIterable<CopyEvent>;
  /** The server takes what it asks for: for UPLOAD_MANIFEST. Rejects with a Failure. */
  copyIn(text: string, content: Buffer): Promise<void>;
  /** Both sides send: for START_REPLICATION. */
  copyBoth(text: string): CopyBoth;
  close(): Promise<void>;
}

export interface CopyBoth {
  /** The server's copyData, until it ends its side; the socket rests while nobody takes them. Rejects with a Failure. */
  readonly messages: AsyncIterable<Buffer>;
  send(message: Buffer): void;
  /** Ends this side after the server has ended its own, and gives the rows that the command ends with. */
  finish<Row>(): Promise<readonly Row[]>;
}

/** What the `pg` package keeps to itself. */
interface Wire extends EventEmitter {
  readonly stream: Duplex;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

export interface ReplicationLimits extends Pick<ConnectionLimits, 'connectTimeout'> {
  /** Milliseconds without a byte of a copyOut that has begun, after which it is given up; default 600,000. */
  readonly silence?: number;
  /** Of the server, where it is known: then its time-out for idle sessions does not count here. */
  readonly major?: number;
}

/** The first version with idle_session_timeout: it would end a connection that waits for its part in a backup. */
const idleTimeoutSince = 14;

/** Milliseconds for the answer to a query, which no copy follows. */
const queryTimeout = 70_000;

/** Rejects with a Failure, or with the signal's reason; when the signal aborts, the connection breaks at once. */
export async function openReplication(
  access: ServerAccess,
  signal: AbortSignal,
  { silence = 600_000, major = 0, ...limits }: ReplicationLimits = {},
): Promise<Replication> {
  const context = { access, database: 'replication' };
  const settings: Readonly<Record<string, string>> = major >= idleTimeoutSince ? { idle_session_timeout: '0' } : {};
  const open = await connect(access, 'postgres', signal, { ...limits, settings, replication: true }).catch(
    (error: unknown) => {
      throw explainReplication(error, context);
    },
  );
  const { client, socket } = open;
  const wire = (client as unknown as { readonly connection: Wire }).connection;
  const onAbort = () => socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  const explained = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw explainReplication(failureOf(error, context), context);
    }
  };
  const run = (text: string, timeout?: number): Promise<readonly QueryResult[]> =>
    explained(async () => {
      const command = { text, ...(timeout === undefined ? {} : { query_timeout: timeout }) };
      const result: QueryResult | QueryResult[] = await client.query(command);
      return Array.isArray(result) ? result : [result];
    });
  const fellSilent = () =>
    transient(
      'ServerSilent',
      `The server ${access.host}:${access.port} answers, and has sent nothing more of what it began ${silence / 1000} s ago: the process that sends hangs, as on a disk that does not answer, or the connection is dead. Look at the server's log and disks; it is tried again.`,
    );
  return {
    query: async <Row>(text: string) => ((await run(text, queryTimeout))[0]?.rows ?? []) as readonly Row[],
    copyOut: (text) =>
      readCopies(
        wire,
        () => run(text),
        () => socket.destroy(),
        { after: silence, failure: fellSilent },
      ),
    copyIn: (text, content) => explained(() => copyIn(client, text, content)),
    copyBoth: (text) => startCopy(wire, run(text)),
    async close() {
      signal.removeEventListener('abort', onAbort);
      await close(open);
    },
  };
}

/** Bytes that may wait in memory before the socket rests. */
const highWater = 4 * 1024 ** 2;

function startCopy(wire: Wire, command: Promise<readonly QueryResult[]>): CopyBoth {
  const waiting: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  let failure: unknown;
  let wake = () => {};
  const onData = ({ chunk }: { readonly chunk: Buffer }) => {
    // The package reuses the memory that a message lies in.
    waiting.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes >= highWater) wire.stream.pause();
    wake();
  };
  const end = () => {
    ended = true;
    wire.off('copyData', onData);
    wake();
  };
  wire.on('copyData', onData);
  wire.once('copyDone', end);
  command.then(end, (error: unknown) => {
    failure = error;
    end();
  });
  return {
    messages: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const message = waiting.shift();
          if (message !== undefined) {
            bytes -= message.length;
            if (bytes < highWater / 2 && wire.stream.isPaused()) wire.stream.resume();
            yield message;
          } else if (failure !== undefined) throw failure;
          else if (ended) return;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      },
    },
    send: (message) => wire.sendCopyFromChunk(message),
    async finish<Row>() {
      wire.endCopyFrom();
      return ((await command)[0]?.rows ?? []) as readonly Row[];
    },
  };
}
