import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Destinations } from '../../../../src/agent/archive/destinations.ts';
import { defaultTimings, dispatch } from '../../../../src/agent/archive/dispatch.ts';
import { openSpool, type Spool } from '../../../../src/agent/archive/spool.ts';
import type { AgentLog } from '../../../../src/agent/log.ts';
import { transient } from '../../../../src/domain/failure.ts';
import { writeSegment } from '../../../support/wal/segment.ts';
import { bring, exists, makeSetting, type Setting, until } from '../../../support/wal/sidecar.ts';

let setting: Setting;
let spool: Spool;

beforeEach(async () => {
  setting = await makeSetting();
  spool = await openSpool(setting.spool);
});

afterEach(() => setting.remove());

/** Holds every upload until it is told what becomes of it. */
function gated() {
  const under = new Map<string, { readonly succeed: () => void; readonly fail: (error: Error) => void }>();
  const order: string[] = [];
  const destinations: Destinations = {
    store: ({ name }, _, { signal }) =>
      new Promise<void>((resolve, reject) => {
        order.push(name);
        under.set(name, { succeed: resolve, fail: reject });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }).finally(() => under.delete(name)),
    close: async () => undefined,
  };
  return { under, order, destinations };
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined } as unknown as AgentLog;
const timings = { ...defaultTimings, look: 20, tell: 200, grace: 500, longestPause: 50 };

function run(destinations: Destinations, maxParallel = 4) {
  const stopping = new AbortController();
  const work = { spool, destinations, systemIdentifier: undefined, maxParallel, log: quiet, timings };
  const ended = dispatch({ ...work, signal: stopping.signal });
  return {
    stop: () => {
      stopping.abort(transient('Cancelled', 'told to stop'));
      return ended;
    },
  };
}

function segment(index: number): string {
  return `0000000100000000000000${index.toString(16).toUpperCase().padStart(2, '0')}`;
}

async function bringAll(indexes: readonly number[], segmentSize = 1024 ** 2): Promise<void> {
  for (const index of indexes)
    await bring(setting, segment(index), writeSegment({ name: segment(index), segmentSize }).content);
}

test('several are under way at once, the oldest first, and never more than allowed', async () => {
  await bringAll([9, 3, 7, 1, 5, 8]);
  const { under, order, destinations } = gated();
  const running = run(destinations);
  await until('four are under way', async () => under.size === 4, 5);
  expect([...order].sort()).toEqual([1, 3, 5, 7].map(segment));
  under.get(segment(3))?.succeed();
  await until('the next one is', async () => order.length === 5, 5);
  expect(order.at(-1)).toBe(segment(8));
  expect(await readdir(join(setting.spool, 'done'))).toEqual([segment(3)]);
  expect(under.size).toBe(4);
  await running.stop();
});

test('large segments are as few at once as the memory holds', async () => {
  await bringAll([1, 2, 3], 64 * 1024 ** 2);
  const { under, order, destinations } = gated();
  const running = run(destinations, 8);
  await until('one is under way', async () => under.size === 1, 5);
  under.get(segment(1))?.succeed();
  await until('the next is', async () => order.length === 2, 5);
  expect(under.size).toBe(1);
  await running.stop();
});

test('while the store fails one file finds out whether it is back, and the server is told', async () => {
  await bringAll([1, 2, 3]);
  const { under, order, destinations } = gated();
  const running = run(destinations);
  await until('all are under way', async () => under.size === 3, 5);
  for (const index of [1, 2, 3]) under.get(segment(index))?.fail(transient('StoreUnreachable', 'the store is away'));
  await until('one is tried again', async () => order.length === 4, 5);
  expect(order.at(-1)).toBe(segment(1));
  await until('the server is told', () => exists(join(setting.spool, 'failed', segment(1))), 5);
  expect(await readFile(join(setting.spool, 'failed', segment(1)), 'utf8')).toContain('the store is away');
  expect(order).toHaveLength(4);
  under.get(segment(1))?.succeed();
  await until('the others follow', async () => under.size === 2, 5);
  await running.stop();
});

test('a file that is brought again while it is under way is answered once more', async () => {
  await bringAll([1]);
  const { under, order, destinations } = gated();
  const running = run(destinations);
  await until('it is under way', async () => under.size === 1, 5);
  await bringAll([1]);
  under.get(segment(1))?.succeed();
  await until('it is done', () => exists(join(setting.spool, 'done', segment(1))), 5);
  expect(order.length).toBeLessThanOrEqual(2);
  await running.stop();
});

test('told to stop, it waits for what runs, begins nothing, and gives up what takes too long', async () => {
  await bringAll([1, 2, 3]);
  const { under, order, destinations } = gated();
  const running = run(destinations, 2);
  await until('two are under way', async () => under.size === 2, 5);
  const stopped = running.stop();
  under.get(segment(1))?.succeed();
  const tally = await stopped;
  expect(tally.total()).toEqual({ files: 1, bytes: 1024 ** 2 });
  expect(order).toHaveLength(2);
  expect(await readdir(join(setting.spool, 'done'))).toEqual([segment(1)]);
  expect((await stat(join(setting.spool, 'incoming', segment(2)))).size).toBe(1024 ** 2);
});
