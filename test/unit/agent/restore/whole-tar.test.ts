import { expect, test } from 'vitest';
import { wholeTar } from '../../../../src/agent/restore/whole-tar.ts';
import { writeTar } from '../../../support/write-tar.ts';

const tar = await writeTar([['1.dat', Buffer.from('1\tone\n'.repeat(1000))]]);

test.each([1, 511, 512, 100_000])(
  'a tar passes as it is, in pieces of %i bytes whose memory is used again',
  async (size) => {
    const parts: Buffer[] = [];
    for await (const piece of wholeTar(pieces(tar, size), 'shop')) parts.push(Buffer.from(piece));
    expect(Buffer.concat(parts).equals(tar)).toBe(true);
  },
);

test.each([0, 1, 600, tar.length / 2, tar.length - 1024, tar.length - 512, tar.length - 1])(
  'one that ends after %i bytes has no end that somebody could take for its own',
  async (length) => {
    for (const size of [1, 512, 100_000]) {
      const read = Array.fromAsync(wholeTar(pieces(tar.subarray(0, length), size), 'shop'));
      await expect(read).rejects.toMatchObject({ reason: 'CorruptedBackup', retryable: false });
    }
  },
);

async function* pieces(bytes: Buffer, size: number) {
  const shared = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) yield shared.subarray(0, bytes.copy(shared, 0, at));
}
