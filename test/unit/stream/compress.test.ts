import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Compression, compressedSuffix, compressor, decompressor } from '../../../src/stream/compress.ts';
import { runPipeline, type Stage } from '../../../src/stream/pipeline.ts';
import { unpacked } from '../../../src/stream/unpack.ts';

const { signal } = new AbortController();

test.each<[Compression, readonly unknown[]]>([
  [{ algorithm: 'zstd', level: 9 }, ['zstd', '-q', '-c', expect.stringMatching(/^-T[1-8]$/), '-9']],
  [{ algorithm: 'gzip', level: 9 }, ['pigz', '-q', '-c', '-p', expect.stringMatching(/^[1-8]$/), '-9']],
  [{ algorithm: 'lz4', level: 9 }, ['lz4', '-q', '-z', '-c', '-9']],
])('%j gets the level, quietly, with a bounded number of threads', (compression, command) => {
  const stage = compressor(compression);
  expect([stage?.command, ...(stage?.args ?? [])]).toEqual(command);
});

test('none has no stage', () => {
  expect(compressor({ algorithm: 'none' })).toBeUndefined();
  expect(decompressor({ algorithm: 'none' })).toBeUndefined();
});

test('a name ends as its tool expects it', () => {
  const endings = (['zstd', 'gzip', 'lz4', 'none'] as const).map((algorithm) => compressedSuffix({ algorithm }));
  expect(endings).toEqual(['.zst', '.gz', '.lz4', '']);
});

async function read(output: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of output) parts.push(part);
  return Buffer.concat(parts);
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

function through(stage: Stage | undefined, bytes: Buffer): Promise<Buffer> {
  return stage === undefined
    ? Promise.reject(new Error('no stage'))
    : read(runPipeline([stage], { signal, input: inPieces(bytes) }).output);
}

describe.each(['zstd', 'gzip', 'lz4'] as const)('%s', async (algorithm) => {
  const content = Buffer.concat([randomBytes(600_000), Buffer.alloc(2_000_000)]);
  const packed = await through(compressor({ algorithm }), content);
  const damaged = Buffer.from(packed);
  damaged.writeUInt8(damaged.readUInt8(300_000) ^ 1, 300_000);
  const ways = [
    ['by its tool', (bytes: Buffer) => through(decompressor({ algorithm }), bytes)],
    ['where that costs least', (bytes: Buffer) => read(unpacked({ algorithm }, inPieces(bytes), signal))],
  ] as const;

  test.each(ways)('gives back what it packed, %s', async (_, unpack) => {
    expect(packed.length).toBeLessThan(content.length);
    expect((await unpack(packed)).equals(content)).toBe(true);
  });

  test.each(ways)('fails for what is not as it was packed, %s', async (_, unpack) => {
    const wrong: readonly (readonly [string, Buffer])[] = [
      ['damaged', damaged],
      ['cut off by one byte', packed.subarray(0, -1)],
      ['cut off by a trailer', packed.subarray(0, -9)],
      ['cut in half', packed.subarray(0, packed.length / 2)],
      ['cut off in its first bytes', packed.subarray(0, 3)],
      ['followed by one byte', Buffer.concat([packed, Buffer.from('x')])],
      ['followed by something else', Buffer.concat([packed, randomBytes(1_000_000)])],
    ];
    for (const [what, bytes] of wrong) await expect(unpack(bytes), what).rejects.toThrow();
  });
});
