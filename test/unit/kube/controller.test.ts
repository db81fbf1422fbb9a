import { beforeEach, expect, test } from 'vitest';
import { terminal, transient } from '../../../src/domain/failure.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import {
  type ControllerOptions,
  type Outcome,
  type ReconcileResult,
  runController,
  TerminalError,
} from '../../../src/kube/controller.ts';
import { LeaseLost } from '../../../src/kube/lease.ts';
import type { Log } from '../../../src/kube/log.ts';
import { WorkQueue } from '../../../src/kube/queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let clock: FakeClock;
let queue: WorkQueue<string>;
let stop: AbortController;
let results: ReconcileResult[];
let logged: string[];

beforeEach(() => {
  clock = new FakeClock();
  queue = new WorkQueue(clock);
  stop = new AbortController();
  results = [];
  logged = [];
});

const log: Log = {
  debug: () => logged.push('debug'),
  info: () => logged.push('info'),
  warn: () => logged.push('warn'),
  error: () => logged.push('error'),
};

function run(reconcile: ControllerOptions<string>['reconcile'], workers = 2): Promise<void> {
  const hooks = { reconciled: (_: string, result: ReconcileResult) => results.push(result) };
  return runController({ name: 'runs', queue, workers, reconcile, log, clock, hooks, signal: stop.signal });
}

test('reconciles what is added, and again when the outcome asks for it', async () => {
  const outcomes: Outcome[] = [{ requeueAfterMilliseconds: 60_000 }, 'done'];
  const running = run(async () => outcomes.shift() ?? 'done');
  queue.add('a');
  await clock.advance(59_999);
  expect(results).toEqual(['requeue']);
  await clock.advance(1);
  expect(results).toEqual(['requeue', 'success']);
  stop.abort();
  await running;
});

test('asks again later and later after failures, and soon again after a success', async () => {
  const moments: number[] = [];
  const running = run(async () => {
    moments.push(clock.monotonic());
    if (moments.length < 4) throw transient('Busy', 'not now');
    return 'done';
  });
  queue.add('a');
  await clock.advance(60_000);
  expect(moments).toEqual([0, 1000, 3000, 7000]);
  expect(results).toEqual(['error', 'error', 'error', 'success']);
  expect(queue.addRateLimited('a')).toBe(1000);
  stop.abort();
  await running;
});

test('does not ask again what failed for good, until the object changes', async () => {
  const errors = [new TerminalError('no such thing'), terminal('Refused', 'no')];
  const running = run(async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return 'done';
  });
  for (let change = 0; change < 3; change += 1) {
    queue.add('a');
    await clock.advance(600_000);
  }
  expect(results).toEqual(['terminal', 'terminal', 'success']);
  expect(logged).toEqual(['error', 'error']);
  stop.abort();
  await running;
});

test('a conflict is no news', async () => {
  let first = true;
  const running = run(async () => {
    if (!first) return 'done';
    first = false;
    throw new ApiError(409, 'Conflict', 'somebody was quicker');
  });
  queue.add('a');
  await clock.advance(5_000);
  expect([results, logged]).toEqual([['error', 'success'], ['debug']]);
  stop.abort();
  await running;
});

test('lets what is under way come to its end, and takes nothing new', async () => {
  const ended: string[] = [];
  const running = run(async (key, signal) => {
    await clock.sleep(10_000, signal);
    ended.push(key);
    return 'done';
  });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await clock.advance(1);
  stop.abort();
  await clock.advance(10_000);
  await running;
  expect(ended).toEqual(['a', 'b']);
  expect(clock.sleepers).toBe(0);
});

test('aborts what does not end in time, and in the end goes without it', async () => {
  const aborted: number[] = [];
  const running = run(async (key, signal) => {
    signal.addEventListener('abort', () => aborted.push(clock.monotonic()));
    if (key === 'obeys') await clock.sleep(1_000_000, signal);
    else await new Promise(() => undefined);
    return 'done';
  });
  queue.add('obeys');
  queue.add('hangs');
  await clock.advance(0);
  stop.abort();
  await clock.advance(25_000);
  await running;
  expect(aborted).toEqual([20_000, 20_000]);
  expect(logged).toContain('error');
});

test('aborts everything at once where leading was lost', async () => {
  const aborted: number[] = [];
  const running = run(async (_, signal) => {
    await clock.sleep(1_000_000, signal).finally(() => aborted.push(clock.monotonic()));
    return 'done';
  });
  queue.add('a');
  await clock.advance(100);
  stop.abort(new LeaseLost('another leads'));
  await clock.advance(0);
  await running;
  expect(aborted).toEqual([100]);
});
