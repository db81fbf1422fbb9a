import { expect, test } from 'vitest';
import { createLagClock } from '../../../../src/agent/watch-wal/lag.ts';

const size = 1024;
const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21) + seconds * 1000);
const usual = { segmentSize: size, storedTime: undefined, closedAfter: undefined };

test('lag begins when the server is first seen beyond the end, and ends when the archive has that', () => {
  const clock = createLagClock();
  expect(clock.seconds({ ...usual, now: at(0), current: 2048n, end: 2048n })).toBe(0);
  expect(clock.seconds({ ...usual, now: at(10), current: 3000n, end: 2048n })).toBe(0);
  expect(clock.seconds({ ...usual, now: at(20), current: 4000n, end: 2048n })).toBe(10);
  expect(clock.seconds({ ...usual, now: at(30), current: 4000n, end: 3072n })).toBe(10);
  expect(clock.seconds({ ...usual, now: at(40), current: 4000n, end: 4096n })).toBe(0);
});

test('a watcher that begins where whole segments are missing counts from the last one that was stored', () => {
  const clock = createLagClock();
  expect(clock.seconds({ ...usual, now: at(100), current: 4000n, end: 1024n, storedTime: at(40) })).toBe(60);
});

test('an idle server makes no lag with what it does not close', () => {
  const clock = createLagClock();
  const idle = { ...usual, current: 2100n, end: 2048n, closedAfter: 60 };
  expect(clock.seconds({ ...idle, now: at(0) })).toBe(0);
  expect(clock.seconds({ ...idle, now: at(100) })).toBe(100);
  expect(clock.seconds({ ...idle, now: at(200) })).toBe(0);
  expect(clock.seconds({ ...idle, now: at(200), closedAfter: undefined })).toBe(200);
  expect(clock.seconds({ ...idle, now: at(200), current: 5000n })).toBe(200);
});

test('its memory is bounded, and keeps the oldest', () => {
  const clock = createLagClock();
  let lag = 0;
  for (let second = 0; second <= 100_000; second += 1)
    lag = clock.seconds({ ...usual, now: at(second), current: BigInt(second + 1), end: 0n });
  expect(lag).toBe(100_000);
});
