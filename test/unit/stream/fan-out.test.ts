import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fanOut } from '../../../src/stream/fan-out.ts';

async function* chunks(count: number, onEnd?: () => void): AsyncGenerator<Buffer, void, void> {
  try {
    for (let index = 0; index < count; index += 1) yield Buffer.from([index]);
  } finally {
    onEnd?.();
  }
}

const collect = async (stream: AsyncIterable<Buffer> | undefined) => Buffer.concat(await Array.fromAsync(stream ?? []));

describe('one stream as several', () => {
  test('is the same for everyone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 4 }), async (length, count) => {
        const all = await Promise.all(fanOut(chunks(length), count).map(collect));
        const expected = await collect(chunks(length));
        expect(all).toHaveLength(count);
        expect(all.every((one) => one.equals(expected))).toBe(true);
      }),
    );
  });

  test('goes at the speed of the slowest, and keeps nothing', async () => {
    const [fast, slow] = fanOut(chunks(10), 2).map((stream) => stream[Symbol.asyncIterator]());
    await fast?.next();
    let second = false;
    const ahead = fast?.next().then(() => {
      second = true;
    });
    await new Promise(setImmediate);
    expect(second).toBe(false);
    await slow?.next();
    const following = slow?.next();
    await ahead;
    expect(second).toBe(true);
    await following;
  });

  test('fails everyone when it fails', async () => {
    async function* failing(): AsyncGenerator<Buffer, void, void> {
      yield Buffer.from('a');
      throw new Error('broken');
    }
    const results = await Promise.allSettled(fanOut(failing(), 3).map(collect));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  test('goes on for the others when one stops reading, and ends its source when all have', async () => {
    let ended = false;
    const [one, other] = fanOut(
      chunks(5, () => (ended = true)),
      2,
    );
    const stopping = (async () => {
      for await (const _ of one ?? []) break;
    })();
    const [, whole] = await Promise.all([stopping, collect(other)]);
    expect(whole).toHaveLength(5);
    expect(ended).toBe(true);
  });
});
