import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { expect, test } from 'vitest';
import { readAlong } from '../../../src/stream/read-along.ts';

const { signal } = new AbortController();
const text = Buffer.from(Array.from({ length: 300_000 }, (_, row) => `${row}\t${(row * 7919) % 1009}\n`).join(''));
const packers = {
  zstd: promisify(zstdCompress),
  gzip: promisify(gzip),
  none: async (bytes: Buffer) => bytes,
} as const;
const algorithms = ['zstd', 'gzip', 'none'] as const;

async function* pieces(bytes: Buffer, failure?: Error) {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
  if (failure !== undefined) throw failure;
}

async function whole(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Copies what it has seen, and says at the end whether that was enough. */
function reader(least: number) {
  const seen: Buffer[] = [];
  return {
    seen: () => Buffer.concat(seen),
    async *read(unpacked: AsyncIterable<Buffer>) {
      for await (const piece of unpacked) {
        seen.push(Buffer.from(piece));
        yield piece;
      }
      if (Buffer.concat(seen).length < least) throw new Error('the script is cut short');
    },
  };
}

test.each(algorithms)('%s: the stream is given on as it is, and what is in it is read', async (algorithm) => {
  const packed = await packers[algorithm](text);
  const { seen, read } = reader(text.length);
  expect((await whole(readAlong(pieces(packed), { algorithm }, read, signal))).equals(packed)).toBe(true);
  expect(seen().equals(text)).toBe(true);
});

test.each(algorithms)('%s: what its reader cannot take does not end as if it were whole', async (algorithm) => {
  const packed = await packers[algorithm](text);
  const given = whole(readAlong(pieces(packed), { algorithm }, reader(text.length + 1).read, signal));
  await expect(given).rejects.toThrow('the script is cut short');
});

test.each(['zstd', 'gzip'] as const)(
  '%s: what cannot be unpacked does not end as if it were whole',
  async (algorithm) => {
    const packed = (await packers[algorithm](text)).subarray(0, -10);
    await expect(whole(readAlong(pieces(packed), { algorithm }, reader(0).read, signal))).rejects.toThrow();
  },
);

test.each(algorithms)('%s: the error of the stream is the error', async (algorithm) => {
  const packed = pieces(await packers[algorithm](text), new Error('pg_dump was killed'));
  await expect(whole(readAlong(packed, { algorithm }, reader(0).read, signal))).rejects.toThrow('pg_dump was killed');
});

test('who stops reading ends the source', async () => {
  let ended = false;
  async function* endless() {
    try {
      for (;;) yield text;
    } finally {
      ended = true;
    }
  }
  for await (const piece of readAlong(endless(), { algorithm: 'none' }, reader(0).read, signal)) {
    expect(piece.length).toBe(text.length);
    break;
  }
  await expect.poll(() => ended, { timeout: 120_000 }).toBe(true);
});
