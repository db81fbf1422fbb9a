import { describe, expect, test } from 'vitest';
import { decodeFrame, encodeStatus } from '../../../../src/agent/watch-wal/stream/frames.ts';

const wal = (start: bigint, end: bigint, data: Buffer) => {
  const header = Buffer.alloc(25);
  header.write('w');
  header.writeBigUInt64BE(start, 1);
  header.writeBigUInt64BE(end, 9);
  return Buffer.concat([header, data]);
};

describe('what the server sends', () => {
  test('WAL has its place, how far the server is, and its bytes', () => {
    const data = Buffer.from('some WAL');
    expect(decodeFrame(wal(0x1_0000_0008n, 0xffff_ffff_ffffn, data))).toEqual({
      kind: 'Wal',
      start: 0x1_0000_0008n,
      serverEnd: 0xffff_ffff_ffffn,
      data,
    });
  });

  test.each([
    [0, false],
    [1, true],
  ])('a keepalive with %d as its last byte', (last, replyWanted) => {
    const message = Buffer.alloc(18);
    message.write('k');
    message.writeBigUInt64BE(42n, 1);
    message[17] = last;
    expect(decodeFrame(message)).toEqual({ kind: 'Keepalive', serverEnd: 42n, replyWanted });
  });

  test.each(['', 'w', 'k', 'z and more bytes than a header would need'])('%j is refused', (text) => {
    expect(() => decodeFrame(Buffer.from(text))).toThrow(RangeError);
  });
});

test('a status update says written, flushed, nothing applied, and the time in microseconds since 2000', () => {
  const message = encodeStatus({
    written: 0x2_0000_0000n,
    flushed: 0x1_0000_0000n,
    now: new Date('2000-01-01T00:00:01Z'),
  });
  expect(message.toString('latin1', 0, 1)).toBe('r');
  expect(message.readBigUInt64BE(1)).toBe(0x2_0000_0000n);
  expect(message.readBigUInt64BE(9)).toBe(0x1_0000_0000n);
  expect(message.readBigUInt64BE(17)).toBe(0n);
  expect(message.readBigInt64BE(25)).toBe(1_000_000n);
  expect(message).toHaveLength(34);
  expect(message[33]).toBe(0);
});
