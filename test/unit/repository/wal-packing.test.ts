import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { transient } from '../../../src/domain/failure.ts';
import { free, isPacked, pack, unpack } from '../../../src/repository/wal-packing.ts';

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000)]);
const packed = await pack(content, 1);
const other = Buffer.concat([content.subarray(0, -1), Buffer.from([1])]);
const damaged = Buffer.from(packed);
damaged.writeUInt8(damaged.readUInt8(1000) ^ 1, 1000);

/** As a store gives what is too large to be had at once. */
async function* inPieces(stored: Buffer, failure?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < stored.length; at += 65_536) yield stored.subarray(at, at + 65_536);
  if (failure !== undefined) throw failure;
}

const forms = [
  ['whole', (stored: Buffer) => stored],
  ['in pieces', (stored: Buffer) => inPieces(stored)],
] as const;

test.each(forms)('what was packed is unpacked %s', async (_, given) => {
  expect((await unpack(given(packed), 'here')).equals(content)).toBe(true);
});

test.each(forms)('what is damaged or cut off is not unpacked %s', async (_, given) => {
  const mismatch = { reason: 'ChecksumMismatch', message: expect.stringMatching(/^here is damaged/) };
  await expect(unpack(given(damaged), 'here')).rejects.toMatchObject(mismatch);
  await expect(unpack(given(packed.subarray(0, -5)), 'here')).rejects.toMatchObject(mismatch);
});

test.each(forms)('just the same content is the same %s', async (_, given) => {
  expect(await isPacked(given(packed), content)).toBe(true);
  for (const wrong of [other, content.subarray(0, -1), Buffer.concat([content, Buffer.alloc(1)]), Buffer.alloc(0)])
    expect(await isPacked(given(packed), wrong)).toBe(false);
  expect(await isPacked(given(damaged), content)).toBe(false);
  expect(await isPacked(given(packed.subarray(0, -5)), content)).toBe(false);
});

test('a store that fails in the middle says nothing of the content', async () => {
  const failure = transient('StoreUnreachable', 'It is down.');
  await expect(unpack(inPieces(packed.subarray(0, -5), failure), 'here')).rejects.toBe(failure);
  await expect(isPacked(inPieces(packed.subarray(0, -5), failure), content)).rejects.toBe(failure);
});

test.each([
  ['a label of a backup', Buffer.from('START WAL LOCATION')],
  ['zeros alone', Buffer.alloc(16 * 1024 ** 2)],
  ['what no packing makes smaller', randomBytes(16 * 1024 ** 2)],
])('%s is packed whole, beside others of its kind', async (_, given) => {
  for (const each of await Promise.all([1, 3].map((level) => pack(given, level))))
    expect((await unpack(each, 'here')).equals(given)).toBe(true);
});

test('what is freed takes nothing else along', async () => {
  const label = Buffer.from('START WAL LOCATION');
  const [small, neighbour, large] = await Promise.all([pack(label, 1), pack(label, 1), pack(randomBytes(2 ** 21), 1)]);
  free(small);
  free(large);
  expect(large.length).toBe(0);
  expect((await unpack(neighbour, 'here')).equals(label)).toBe(true);
});
