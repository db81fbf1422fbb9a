import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rechunk } from '../../../src/stream/rechunk.ts';

async function* from(chunks: readonly Buffer[]) {
  yield* chunks;
}

const cut = async (chunks: readonly Buffer[], sizes: readonly number[]) => {
  const parts: Buffer[] = [];
  const taken: number[] = [];
  const sizeOf = (index: number) => sizes[Math.min(index, sizes.length - 1)] ?? 1;
  const take = (size: number) => {
    taken.push(size);
    return Buffer.alloc(size, 0xee);
  };
  for await (const { bytes, index } of rechunk(from(chunks), { sizeOf, take })) {
    expect(index).toBe(parts.length);
    parts.push(bytes);
  }
  return { parts, taken, sizeOf };
};

const chunk = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

test('keeps every byte in order and fills every part but the last to its exact size', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 30 }), sizes, async (chunks, wanted) => {
      const { parts, taken, sizeOf } = await cut(chunks, wanted);
      expect(Buffer.concat(parts)).toEqual(Buffer.concat(chunks));
      expect(taken).toEqual(parts.map((_, index) => sizeOf(index)));
      parts.forEach((part, index) => {
        if (index < parts.length - 1) expect(part.length).toBe(sizeOf(index));
        else expect(part.length).toBeGreaterThan(0);
      });
    }),
  );
});

test('an empty stream has no parts and takes no buffer', async () => {
  expect((await cut([], [4])).taken).toEqual([]);
  expect((await cut([Buffer.alloc(0)], [4])).parts).toEqual([]);
});

test('gives a half-filled buffer back when the source fails', async () => {
  async function* failing() {
    yield Buffer.from('abc');
    throw new Error('the dump broke');
  }
  const given: Buffer[] = [];
  const parts = rechunk(failing(), {
    sizeOf: () => 10,
    take: (size) => Buffer.alloc(size),
    give: (buffer) => given.push(buffer),
  });
  await expect(parts.next()).rejects.toThrow('the dump broke');
  expect(given.map(({ length }) => length)).toEqual([10]);
});
