import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMeter } from '../../../../src/agent/backup/meter.ts';
import type { Progress } from '../../../../src/api/report.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp(total: number) {
  const told: Progress[] = [];
  const meter = createMeter({ progress: (progress) => void told.push(progress) }, total);
  return { meter, last: () => told.at(-1) };
}

test('tells the step, the share and the rate, once a second', async () => {
  const { meter, last } = setUp(1000);
  let through = 0;
  meter.begin('dumping a (1 of 2)', 400, async () => through);
  for (let second = 0; second < 4; second += 1) {
    through += 50;
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(last()).toEqual({
    step: 'dumping a (1 of 2)',
    bytesDone: '200',
    bytesTotal: '1000',
    percent: 20,
    bytesPerSecond: '50',
  });
  meter.stop();
});

test('a finished step counts whole, and a dump that is larger than its database not more than that', async () => {
  const { meter, last } = setUp(1000);
  meter.begin('a', 400, async () => 900);
  await vi.advanceTimersByTimeAsync(1000);
  expect(last()).toMatchObject({ bytesDone: '400', percent: 40 });
  meter.end();
  meter.begin('b', 600, async () => undefined);
  await vi.advanceTimersByTimeAsync(1000);
  expect(last()).toMatchObject({ step: 'b', bytesDone: '400', percent: 40 });
  meter.stop();
});

test('100 percent is for a backup that exists', async () => {
  const { meter, last } = setUp(10);
  meter.begin('a', 10, async () => 10);
  meter.end();
  expect(last()).toMatchObject({ percent: 99 });
  meter.stop();
});

test('nothing is told after stop, not even a sample that was under way', async () => {
  const { meter, last } = setUp(1000);
  const { promise, resolve } = Promise.withResolvers<number>();
  meter.begin('a', 400, () => promise);
  const before = last();
  await vi.advanceTimersByTimeAsync(1000);
  meter.stop();
  resolve(300);
  await vi.advanceTimersByTimeAsync(2000);
  expect(last()).toBe(before);
});
