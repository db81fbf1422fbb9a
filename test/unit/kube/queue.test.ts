import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WorkQueue } from '../../../src/kube/queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const forever = new AbortController().signal;

test('hands out a key once, however often it was added', async () => {
  const queue = new WorkQueue(new FakeClock());
  for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
  expect(queue.depth).toBe(2);
  expect([await queue.take(forever), await queue.take(forever)]).toEqual(['a', 'b']);
  expect([queue.depth, queue.active]).toEqual([0, 2]);
});

test('hands out a key that was added while it was looked at, when that is done', async () => {
  const queue = new WorkQueue(new FakeClock());
  queue.add('a');
  await queue.take(forever);
  queue.add('a');
  let taken: string | undefined;
  const taking = queue.take(forever).then((key) => {
    taken = key;
  });
  await Promise.resolve();
  expect(taken).toBeUndefined();
  queue.done('a');
  await taking;
  expect(taken).toBe('a');
});

test('waits twice as long after each failure, from one second up to five minutes, until it is forgotten', () => {
  const queue = new WorkQueue(new FakeClock());
  const delays = Array.from({ length: 12 }, () => queue.addRateLimited('a') / 1000);
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  queue.forget('a');
  expect(queue.addRateLimited('a')).toBe(1000);
  expect(queue.waiting).toBe(1);
});

test('keeps its hour though the key is looked at before', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue<string>(clock);
  queue.addAfter('a', 5_000);
  queue.add('a');
  queue.done(await queue.take(forever));
  await clock.advance(4_999);
  expect(queue.depth).toBe(0);
  await clock.advance(1);
  expect(queue.depth).toBe(1);
});

test('gives no key to who has stopped to wait', async () => {
  const queue = new WorkQueue(new FakeClock());
  const stop = new AbortController();
  const first = queue.take(stop.signal);
  const second = queue.take(forever);
  stop.abort(new Error('stopped'));
  await expect(first).rejects.toThrow('stopped');
  queue.add('a');
  expect(await second).toBe('a');
  await expect(queue.take(stop.signal)).rejects.toThrow('stopped');
});

test('a key that was handed over just before the signal is not lost', async () => {
  const queue = new WorkQueue(new FakeClock());
  const stop = new AbortController();
  const taking = queue.take(stop.signal);
  queue.add('a');
  stop.abort();
  expect(await taking).toBe('a');
});

test('closed, it leaves no timer behind', async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue<string>(clock);
  queue.addAfter('a', 1000);
  expect(clock.sleepers).toBe(1);
  queue.close();
  await clock.advance(2000);
  expect([clock.sleepers, queue.depth]).toEqual([0, 0]);
});

const key = fc.constantFrom('a', 'b', 'c');
const milliseconds = fc.integer({ min: 1, max: 50 });
const act = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key }),
  fc.record({ do: fc.constant('addAfter' as const), key, milliseconds }),
  fc.record({ do: fc.constant('wait' as const), milliseconds }),
);

test('never gives a key to two workers, and never loses an add', async () => {
  const workers = fc.array(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), workers, async (acts, paces) => {
      const clock = new FakeClock();
      const queue = new WorkQueue<string>(clock);
      const stop = new AbortController();
      const busy = new Set<string>();
      /** By key: the least moment at which a look that is still owed may begin. */
      const owed = new Map<string, number>();
      const work = async (pace: readonly number[]) => {
        for (let round = 0; ; round += 1) {
          const taken = await queue.take(stop.signal).catch(() => undefined);
          if (taken === undefined) return;
          expect(busy.has(taken)).toBe(false);
          busy.add(taken);
          if ((owed.get(taken) ?? Number.POSITIVE_INFINITY) <= clock.monotonic()) owed.delete(taken);
          await clock.sleep(pace[round % pace.length] ?? 0, new AbortController().signal);
          busy.delete(taken);
          queue.done(taken);
        }
      };
      const working = Promise.all(paces.map(work));
      for (const each of acts) {
        if (each.do === 'wait') await clock.advance(each.milliseconds);
        else {
          const delay = each.do === 'add' ? 0 : each.milliseconds;
          if (each.do === 'add') queue.add(each.key);
          else queue.addAfter(each.key, delay);
          // The latest of the moments asked for: earlier ones may be looked at in one.
          owed.set(each.key, Math.max(owed.get(each.key) ?? 0, each.do === 'add' ? clock.monotonic() : 0));
        }
      }
      await clock.advance(10_000);
      expect([queue.depth, queue.active, queue.waiting]).toEqual([0, 0, 0]);
      expect([...owed]).toEqual([]);
      stop.abort();
      await working;
    }),
    { numRuns: 300 },
  );
});

test('looks at a key at the earliest of the moments asked for, and no oftener than asked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const clock = new FakeClock();
      const queue = new WorkQueue<string>(clock);
      const stop = new AbortController();
      const looks: string[] = [];
      const working = (async () => {
        for (;;) {
          const taken = await queue.take(stop.signal).catch(() => undefined);
          if (taken === undefined) return;
          looks.push(`${clock.monotonic()} ${taken}`);
          queue.done(taken);
        }
      })();
      const expected: string[] = [];
      const due = new Map<string, number>();
      const pass = (until: number) => {
        for (const [name, time] of [...due]) {
          if (time > until) continue;
          expected.push(`${time} ${name}`);
          due.delete(name);
        }
      };
      for (const each of acts) {
        const now = clock.monotonic();
        if (each.do === 'wait') {
          await clock.advance(each.milliseconds);
          pass(clock.monotonic());
        } else if (each.do === 'add') {
          queue.add(each.key);
          expected.push(`${now} ${each.key}`);
          // A single worker is at once free again; two adds without a pause between them are one.
          await clock.advance(0);
        } else {
          queue.addAfter(each.key, each.milliseconds);
          due.set(each.key, Math.min(due.get(each.key) ?? Number.POSITIVE_INFINITY, now + each.milliseconds));
        }
      }
      await clock.advance(1000);
      pass(Number.POSITIVE_INFINITY);
      expect(looks.toSorted()).toEqual(expected.toSorted());
      stop.abort();
      await working;
    }),
    { numRuns: 300 },
  );
});
