import type { Lsn } from '../../../domain/wal/lsn.ts';

/** What a server sends while it streams WAL (PostgreSQL, "Streaming Replication Protocol"). */
export type Frame =
  | {
      readonly kind: 'Wal';
      /** Where its first byte lies. */
      readonly start: Lsn;
      /** How far the server is. */
      readonly serverEnd: Lsn;
      readonly data: Buffer;
    }
  | { readonly kind: 'Keepalive'; readonly serverEnd: Lsn; readonly replyWanted: boolean };

/** Throws a RangeError for anything else: the rest of the stream cannot be trusted then. */
export function decodeFrame(message: Buffer): Frame {
  const type = message[0];
  if (type === letters.wal && message.length >= 25) {
    return {
      kind: 'Wal',
      start: message.readBigUInt64BE(1),
      serverEnd: message.readBigUInt64BE(9),
      data: message.subarray(25),
    };
  }
  if (type === letters.keepalive && message.length >= 18) {
    return { kind: 'Keepalive', serverEnd: message.readBigUInt64BE(1), replyWanted: message[17] === 1 };
  }
  throw new RangeError(
    `${message.length} bytes that begin with ${message.subarray(0, 4).toString('hex')} are no WAL and no keepalive`,
  );
}

export interface StandbyStatus {
  readonly written: Lsn;
  /** The slot moves here: what lies before may be removed from the server. 0 leaves it where it is. */
  readonly flushed: Lsn;
  readonly now: Date;
  /** Asks the server for a keepalive at once. */
  readonly replyWanted?: boolean;
}

/** Standby status update. Nothing is applied here, so that a server never takes this for a replica that can be asked. */
export function encodeStatus({ written, flushed, now, replyWanted = false }: StandbyStatus): Buffer {
  const message = Buffer.alloc(34);
  message[0] = letters.status;
  message.writeBigUInt64BE(written, 1);
  message.writeBigUInt64BE(flushed, 9);
  message.writeBigUInt64BE(0n, 17);
  message.writeBigInt64BE(BigInt(now.getTime() - epoch) * 1000n, 25);
  message[33] = replyWanted ? 1 : 0;
  return message;
}

const letters = { wal: 0x77, keepalive: 0x6b, status: 0x72 };
/** PostgreSQL counts microseconds from here. */
const epoch = Date.UTC(2000, 0, 1);
