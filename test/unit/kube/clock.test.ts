import { expect, test } from 'vitest';
import { systemClock } from '../../../src/kube/clock.ts';
import { microTime } from '../../../src/kube/micro-time.ts';

test('sleeps, and wakes with the reason of the signal', async () => {
  const stop = new AbortController();
  await systemClock.sleep(1, stop.signal);
  const sleeping = systemClock.sleep(1_000_000, stop.signal);
  stop.abort(new Error('get up'));
  await expect(sleeping).rejects.toThrow('get up');
  await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow('get up');
});

test('sleeps longer than one timer can, without waking at once', async () => {
  const stop = new AbortController();
  let woke = false;
  const sleeping = systemClock.sleep(40 * 86_400_000, stop.signal).then(
    () => {
      woke = true;
    },
    () => undefined,
  );
  await systemClock.sleep(20, new AbortController().signal);
  expect(woke).toBe(false);
  stop.abort();
  await sleeping;
});

test('a MicroTime has six digits after the second', () => {
  expect(microTime(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 60)))).toBe('2026-01-02T03:04:05.060000Z');
});
