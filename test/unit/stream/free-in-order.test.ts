import { expect, test } from 'vitest';
import { freeInOrder } from '../../../src/stream/free-in-order.ts';

const mebibyte = 1024 ** 2;
const isFreed = ({ buffer }: Buffer) => buffer.byteLength === 0;

test('frees what went before as soon as something behind it has arrived, and that not before something behind it', () => {
  const memory = freeInOrder();
  const [first, second, third] = [1, 2, 3].map(() => Buffer.alloc(mebibyte)) as [Buffer, Buffer, Buffer];
  for (const each of [first, second, third]) memory.sent(each);
  memory.arrived(first.subarray(0, 10));
  expect([first, second, third].map(isFreed)).toEqual([false, false, false]);
  memory.arrived(third.subarray(100, 200));
  expect([first, second, third].map(isFreed)).toEqual([true, true, false]);
});

test('knows several buffers in the same memory as one', () => {
  const memory = freeInOrder();
  const [shared, next] = [Buffer.alloc(mebibyte), Buffer.alloc(mebibyte)];
  for (const each of [shared.subarray(0, 10), shared.subarray(10), next]) memory.sent(each);
  memory.arrived(shared.subarray(10));
  expect(isFreed(shared)).toBe(false);
  memory.arrived(next);
  expect(isFreed(shared)).toBe(true);
});

test('leaves small memory alone, which others may share, and concludes nothing from memory that was not sent', () => {
  const memory = freeInOrder();
  const [small, large] = [Buffer.from('a few words'), Buffer.alloc(mebibyte)];
  memory.sent(small);
  memory.sent(large);
  memory.arrived(Buffer.alloc(mebibyte));
  memory.arrived(large);
  expect(small.toString()).toBe('a few words');
  expect(isFreed(large)).toBe(false);
});
