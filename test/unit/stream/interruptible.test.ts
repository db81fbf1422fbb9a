import { expect, test } from 'vitest';
import { interruptible } from '../../../src/stream/interruptible.ts';

test('passes every value and closes nothing that has ended', async () => {
  async function* source() {
    yield* [1, 2, 3];
  }
  expect(await Array.fromAsync(interruptible(source(), new AbortController().signal))).toEqual([1, 2, 3]);
});

test('rejects with the reason while the source is silent', async () => {
  const abort = new AbortController();
  async function* silent() {
    yield 1;
    await new Promise(() => undefined);
  }
  const values = interruptible(silent(), abort.signal);
  expect((await values.next()).value).toBe(1);
  const next = values.next();
  abort.abort(new Error('enough'));
  await expect(next).rejects.toThrow('enough');
});

test('closes the source when the reader stops early', async () => {
  let closed = false;
  async function* source() {
    try {
      for (;;) yield 1;
    } finally {
      closed = true;
    }
  }
  for await (const _ of interruptible(source(), new AbortController().signal)) break;
  expect(closed).toBe(true);
});
