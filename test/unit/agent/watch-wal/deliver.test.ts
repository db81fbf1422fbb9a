import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deliverInOrder, type Parcel } from '../../../../src/agent/watch-wal/stream/deliver.ts';

const nothing = Buffer.alloc(0);
const parcel = (number: number): Parcel => ({
  ...{ name: `${number}`, content: nothing, head: nothing, size: 0 },
  end: BigInt(number),
});

describe('segments that are stored several at once', () => {
  test('are told in order, whichever is stored first, and never more than so many are under way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        async (turns, atOnce) => {
          const told: number[] = [];
          let under = 0;
          const delivery = deliverInOrder({
            atOnce,
            onDurable: ({ end }) => told.push(Number(end)),
            store: async ({ end }) => {
              under += 1;
              expect(under).toBeLessThanOrEqual(atOnce);
              for (let left = turns[Number(end)] ?? 0; left > 0; left -= 1) await turn();
              under -= 1;
            },
          });
          for (const number of turns.keys()) await delivery.push(parcel(number));
          await delivery.drain();
          expect(told).toEqual([...turns.keys()]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('end at the first failure: what comes after it is stored, perhaps, and never told', async () => {
    const told: bigint[] = [];
    const delivery = deliverInOrder({
      atOnce: 3,
      onDurable: ({ end }) => told.push(end),
      store: async ({ end }) => {
        if (end === 1n) throw new Error('the store is away');
      },
    });
    await delivery.push(parcel(0));
    const pushed = async () => {
      for (let number = 1; number < 10; number += 1) await delivery.push(parcel(number));
    };
    await expect(pushed()).rejects.toThrow('the store is away');
    await expect(delivery.drain()).rejects.toThrow('the store is away');
    expect(told).toEqual([0n]);
  });
});
