import fc from 'fast-check';
import { expect, it } from 'vitest';
import { heartbeatOf } from '../../../../src/domain/wal/heartbeat-message.ts';

/** As PostgreSQL lays it out: xl_logical_message, the prefix with its end, the message. */
function record(prefix: string, message: string): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(5, 0);
  head.writeUInt8(1, 4);
  head.writeBigUInt64LE(BigInt(prefix.length + 1), 8);
  head.writeBigUInt64LE(BigInt(message.length), 16);
  return Buffer.concat([head, Buffer.from(`${prefix}\0${message}`)]);
}

it('tells every how many seconds there is one', () => {
  expect(heartbeatOf(record('tidemark.heartbeat', '10'))).toBe(10);
  expect(heartbeatOf(record('tidemark.heartbeat', '3600'))).toBe(3600);
});

it('takes what others write for what it is', () => {
  expect(heartbeatOf(record('tidemark.heartbeats', '10'))).toBeUndefined();
  expect(heartbeatOf(record('tidemark', '10'))).toBeUndefined();
  for (const message of ['', '0', '-1', '1.5', '10s', '1234567'])
    expect(heartbeatOf(record('tidemark.heartbeat', message)), message).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => heartbeatOf(Buffer.from(bytes)) === undefined));
});
