import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../src/kube/clock.ts';
import { fenced } from '../../../src/kube/fenced.ts';
import { LeaseLost, runLeaderElection } from '../../../src/kube/lease.ts';
import type { Log } from '../../../src/kube/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Fate, LeaseServer } from './lease-server.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

let clock: FakeClock;
let server: LeaseServer;
beforeEach(() => {
  clock = new FakeClock();
  server = new LeaseServer(clock);
});

interface Elector {
  readonly ended: Promise<unknown>;
  readonly stop: AbortController;
  leads: boolean;
  mayWrite: () => boolean;
  reason: unknown;
}

/** Leads until it is told to stop, and a little longer: `drain` milliseconds. */
function elect(
  identity: string,
  { time = clock as Clock, drain = 0, onStart = () => {}, fates = undefined as Fate[] | undefined } = {},
): Elector {
  const stop = new AbortController();
  const place = { client: server.client(fates), namespace: 'tidemark-system', name: 'tidemark-operator' };
  const options = { ...place, identity, clock: time, log: silent, random: () => 0.5, signal: stop.signal };
  const ended = runLeaderElection(options, async (signal, leads) => {
    onStart();
    elector.mayWrite = leads;
    elector.leads = !signal.aborted;
    signal.addEventListener('abort', () => {
      elector.leads = false;
      elector.reason = signal.reason;
    });
    while (!signal.aborted) await time.sleep(1_000_000, signal).catch(() => undefined);
    if (drain > 0) await clock.sleep(drain, new AbortController().signal);
  }).catch((error: unknown) => error);
  const elector: Elector = { ended, stop, leads: false, mayWrite: () => false, reason: undefined };
  return elector;
}

test('the first leads and renews, the second waits', async () => {
  const one = elect('one');
  await clock.advance(100);
  const two = elect('two');
  await clock.advance(3_600_000);
  expect([one.leads, two.leads]).toEqual([true, false]);
  expect(server.lease?.spec).toMatchObject({ holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 0 });
  expect(server.writes.length).toBeGreaterThan(1790);
});

test('a leader that is told to stop gives the lease back after it has ended, and only then another leads', async () => {
  const one = elect('one', { drain: 30_000 });
  await clock.advance(100);
  const two = elect('two');
  await clock.advance(100);
  one.stop.abort();
  await clock.advance(29_000);
  expect([one.leads, two.leads, server.lease?.spec.holderIdentity]).toEqual([false, false, 'one']);
  await clock.advance(1_000 + 2_400);
  expect(await one.ended).toBeUndefined();
  expect([two.leads, server.lease?.spec.leaseTransitions]).toEqual([true, 1]);
});

test('a leader that cannot renew stops on the deadline, and another leads once the lease has expired', async () => {
  const one = elect('one');
  await clock.advance(100);
  const two = elect('two');
  await clock.advance(100);
  const begun = clock.monotonic();
  server.fates = Array.from({ length: 40 }, () => 'lost' as const);
  await clock.advance(10_000);
  expect(one.leads).toBe(false);
  expect(one.reason).toBeInstanceOf(LeaseLost);
  expect(two.leads).toBe(false);
  server.fates = [];
  await clock.until(() => two.leads);
  expect(clock.monotonic() - begun).toBeGreaterThan(14_000);
  expect(await one.ended).toBeInstanceOf(LeaseLost);
});

test('a leader that stood still may not write when it wakes, before it has learned that it leads no more', async () => {
  let frozen = 0;
  const time: Clock = { ...systemClock, now: () => clock.now(), monotonic: () => clock.monotonic() + frozen };
  const one = elect('one', { time: { ...time, sleep: (milliseconds, signal) => clock.sleep(milliseconds, signal) } });
  await clock.advance(100);
  expect(one.mayWrite()).toBe(true);
  frozen = 10_001;
  expect([one.leads, one.mayWrite()]).toEqual([true, false]);
  const asked: string[] = [];
  const client = {
    namespace: 'shop',
    request: async <Answer>(method: string) => asked.push(method) as Answer,
    watch: async function* () {},
    close: async () => undefined,
  };
  const guarded = fenced(client, one.mayWrite);
  await guarded.request('GET', '/api');
  await expect(guarded.request('PATCH', '/api')).rejects.toThrow(LeaseLost);
  expect(asked).toEqual(['GET']);
});

test('the deadline counts from when the lease was asked for, not from when the answer came', async () => {
  const fates: Fate[] = ['done', { slow: 4_900 }, ...Array.from({ length: 40 }, () => 'lost' as const)];
  const one = elect('one', { fates });
  await clock.advance(4_900);
  expect([one.leads, server.writes.length]).toEqual([true, 1]);
  await clock.advance(5_100);
  expect(one.leads).toBe(false);
  expect(await one.ended).toBeInstanceOf(LeaseLost);
});

test('one call that hangs, and a write whose answer is lost, do not cost the lease', async () => {
  const one = elect('one');
  await clock.advance(100);
  for (const fate of ['lost', 'answer lost', 'refused'] as const) {
    server.fates = [fate];
    await clock.advance(20_000);
    expect(one.leads).toBe(true);
  }
});

test('a leader whose lease another has taken stops at its next renewal', async () => {
  const one = elect('one');
  await clock.advance(100);
  const lease = server.lease ?? expect.fail('there is no lease');
  server.lease = {
    ...lease,
    metadata: { ...lease.metadata, resourceVersion: '1000' },
    spec: { ...lease.spec, holderIdentity: 'two' },
  };
  await clock.advance(2_000);
  expect(one.leads).toBe(false);
  expect(await one.ended).toMatchObject({ name: 'LeaseLost', message: 'two holds the lease now' });
});

test('a lease that was deleted is not taken before its holder must have noticed', async () => {
  const one = elect('one');
  await clock.advance(100);
  const two = elect('two');
  await clock.advance(2_500);
  server.lease = undefined;
  await clock.advance(2_000);
  expect([one.leads, two.leads]).toEqual([false, false]);
  await clock.until(() => two.leads);
  expect(await one.ended).toBeInstanceOf(LeaseLost);
});

test('labels that somebody gave the lease stay', async () => {
  elect('one');
  await clock.advance(100);
  const lease = server.lease ?? expect.fail('there is no lease');
  server.lease = {
    ...lease,
    metadata: Object.assign({ labels: { team: 'db' } }, lease.metadata, { resourceVersion: '77' }),
  };
  await clock.advance(10_000);
  expect(server.writes.length).toBeGreaterThan(4);
  expect(server.lease.metadata).toMatchObject({ labels: { team: 'db' } });
});

test('who waits stops at once when it is told to', async () => {
  elect('one');
  await clock.advance(100);
  const two = elect('two');
  await clock.advance(1000);
  two.stop.abort();
  expect(await two.ended).toBeUndefined();
});

describe('with clocks that are off and calls that go astray', () => {
  const fate: fc.Arbitrary<Fate> = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Fate>('done') },
    { weight: 3, arbitrary: fc.constantFrom<Fate>('lost', 'answer lost', 'refused') },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 25_000 }).map((late) => ({ late })) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 6_000 }).map((slow) => ({ slow })) },
  );
  const electors = fc.array(
    fc.record({
      wall: fc.integer({ min: -86_400_000, max: 86_400_000 }),
      rate: fc.double({ min: 0.9, max: 1.1, noNaN: true }),
      startsAt: fc.integer({ min: 0, max: 30_000 }),
      stopsAt: fc.option(fc.integer({ min: 20_000, max: 150_000 })),
      drain: fc.integer({ min: 0, max: 20_000 }),
    }),
    { minLength: 2, maxLength: 4 },
  );

  test('there are never two leaders, and one at the end', async () => {
    await fc.assert(
      fc.asyncProperty(electors, fc.array(fate, { maxLength: 150 }), async (wanted, fates) => {
        clock = new FakeClock();
        server = new LeaseServer(clock);
        server.fates = [...fates];
        const all: Elector[] = [];
        const begin = (index: number, { wall, rate, drain }: (typeof wanted)[number]) => {
          const onStart = () => {
            if (all.some(({ leads }) => leads)) overlaps.push(clock.monotonic());
          };
          all.push(elect(`elector-${index}`, { time: clock.skewed({ wall, rate }), drain, onStart }));
        };
        const overlaps: number[] = [];
        const moments = wanted.flatMap((each, index) => [
          { at: each.startsAt, act: () => begin(index, each) },
          ...(each.stopsAt === null
            ? []
            : [{ at: each.stopsAt + 30_000, act: () => all.at(index % all.length)?.stop.abort() }]),
        ]);
        for (const { at, act } of moments.toSorted((one, other) => one.at - other.at)) {
          await clock.advance(at - clock.monotonic());
          act();
        }
        await clock.advance(200_000);
        expect(overlaps).toEqual([]);
        // All is well from here: somebody who is asked now leads before long.
        server.fates = [];
        for (const { stop } of all) stop.abort();
        const last = elect('last');
        await clock.advance(60_000);
        expect(last.leads).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
