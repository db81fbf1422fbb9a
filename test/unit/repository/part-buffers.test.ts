import { expect, test } from 'vitest';
import { createBufferPool, createMemoryBudget } from '../../../src/repository/part-buffers.ts';

const { signal } = new AbortController();

test('a released buffer is used again, and no more are kept idle than the limit', () => {
  const pool = createBufferPool(20);
  const [a, b, c] = [pool.acquire(10), pool.acquire(10), pool.acquire(10)];
  for (const buffer of [a, b, c]) pool.release(buffer);
  const again = [pool.acquire(10), pool.acquire(10), pool.acquire(10)];
  expect(again).toContain(a);
  expect(again.filter((buffer) => [a, b, c].includes(buffer)).length).toBe(2);
});

test('idle buffers of another size are let go', () => {
  const pool = createBufferPool(100);
  const small = pool.acquire(10);
  pool.release(small);
  pool.acquire(50);
  expect(pool.acquire(10)).not.toBe(small);
});

test('a taker waits until there is room', async () => {
  const budget = createMemoryBudget(createBufferPool(0), () => 20, signal);
  const first = await budget.take(10);
  await budget.take(10);
  let third = false;
  const waiting = budget.take(10).then(() => {
    third = true;
  });
  await new Promise(setImmediate);
  expect(third).toBe(false);
  budget.give(first);
  await waiting;
  expect(third).toBe(true);
});

test('one buffer is given even if it is larger than the room', async () => {
  const budget = createMemoryBudget(createBufferPool(0), () => 5, signal);
  expect((await budget.take(10)).length).toBe(10);
});

test('an abort ends the waiting', async () => {
  const abort = new AbortController();
  const budget = createMemoryBudget(createBufferPool(0), () => 10, abort.signal);
  await budget.take(10);
  const waiting = budget.take(10);
  abort.abort(new Error('a part failed'));
  await expect(waiting).rejects.toThrow('a part failed');
});

test('a dropped buffer makes room, but is never handed out again', async () => {
  const budget = createMemoryBudget(createBufferPool(100), () => 10, signal);
  const dropped = await budget.take(10);
  budget.drop(dropped);
  expect(await budget.take(10)).not.toBe(dropped);
});
