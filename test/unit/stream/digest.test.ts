import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digesting, verified } from '../../../src/stream/digest.ts';

async function* from(chunks: readonly Buffer[]) {
  yield* chunks;
}

const digestOf = (bytes: Buffer) => ({
  size: bytes.length,
  sha256: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
});
const chunks = fc.array(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)));

test('passes the bytes through and tells their size and sha256', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, async (given) => {
      const { stream, digest } = digesting(from(given));
      const passed = Buffer.concat(await Array.fromAsync(stream));
      expect(passed).toEqual(Buffer.concat(given));
      expect(digest()).toEqual(digestOf(passed));
      expect(await Array.fromAsync(verified(from(given), digestOf(passed), 'it'))).toEqual(given);
    }),
  );
});

test.each([
  ['a changed byte', Buffer.from('abcX'), 'has the digest'],
  ['a missing end', Buffer.from('abc'), 'has 3 bytes'],
  ['more than there should be', Buffer.from('abcde'), 'is longer'],
])('%s is a ChecksumMismatch instead of an end', async (_, bytes, how) => {
  const reading = Array.fromAsync(verified(from([bytes]), digestOf(Buffer.from('abcd')), 'databases/shop.dump'));
  await expect(reading).rejects.toMatchObject({ reason: 'ChecksumMismatch', message: expect.stringContaining(how) });
});
