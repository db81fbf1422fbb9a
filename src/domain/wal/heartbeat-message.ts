/** Under which name a heartbeat stands in the WAL (PostgreSQL, pg_logical_emit_message). */
export const heartbeatPrefix = 'tidemark.heartbeat';

// PostgreSQL, message.h (xl_logical_message): the database, whether it is transactional, two lengths, then both texts.
const prefixLength = 8;
const messageLength = 16;
const texts = 24;
const terminated = Buffer.from(`${heartbeatPrefix}\0`);

/** Every how many seconds there is one, as a heartbeat says; undefined for what somebody else wrote into the WAL. */
export function heartbeatOf(data: Buffer): number | undefined {
  if (data.length < texts + terminated.length) return undefined;
  if (data.readBigUInt64LE(prefixLength) !== BigInt(terminated.length)) return undefined;
  const begin = texts + terminated.length;
  if (!data.subarray(texts, begin).equals(terminated)) return undefined;
  const length = data.readBigUInt64LE(messageLength);
  if (length > 5n) return undefined;
  const said = data.toString('latin1', begin, begin + Number(length));
  return /^[1-9][0-9]{0,4}$/.test(said) ? Number(said) : undefined;
}
