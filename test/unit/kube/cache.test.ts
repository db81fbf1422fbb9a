import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cache } from '../../../src/kube/cache.ts';
import type { KubeClient, KubeObject } from '../../../src/kube/client.ts';
import type { Log } from '../../../src/kube/log.ts';
import { FakeApiServer, type Fault, type WatchEnd } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';

type Run = KubeObject & { readonly spec: { readonly value: unknown } };

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

let server: FakeApiServer;
let clock: FakeClock;
let client: KubeClient;
let stop: AbortController;

beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new FakeClock();
  client = server.client(clock);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await client.close();
  await server.close();
});

function cacheOf(log: Log = silent): Cache<Run> {
  const indexes = { value: ({ spec }: Run) => [String(spec.value)] };
  return new Cache<Run>({ client, paths: [server.path], clock, random: () => 0.5, indexes, log });
}

const byName = (objects: Iterable<KubeObject>) =>
  [...objects].toSorted((one, other) => one.metadata.name.localeCompare(other.metadata.name));

test('answers from what was listed and watched, by name, namespace and index', async () => {
  server.set('one', 'a');
  server.set('two', 'b');
  const cache = cacheOf();
  expect(cache.isSynced).toBe(false);
  const running = cache.run(stop.signal);
  await cache.synced;
  expect(cache.get('shop', 'one')?.spec.value).toBe('a');
  expect(cache.get('shop', 'none')).toBeUndefined();
  expect(cache.list('shop')).toHaveLength(2);
  expect(cache.list('elsewhere')).toEqual([]);
  await clock.until(() => server.openWatches === 1);
  server.set('one', 'b');
  await clock.until(() => cache.get('shop', 'one')?.spec.value === 'b');
  expect(byName(cache.byIndex('value', 'b')).map(({ metadata }) => metadata.name)).toEqual(['one', 'two']);
  expect(cache.byIndex('value', 'a')).toEqual([]);
  stop.abort();
  await running;
});

test('that is stopped before it is filled tells whoever waits for it', async () => {
  server.fail('hang');
  const cache = cacheOf();
  const running = cache.run(stop.signal);
  stop.abort(new Error('stopped'));
  await running;
  await expect(cache.synced).rejects.toThrow('stopped');
});

test('says for how long it has not been able to follow, and that once', async () => {
  const words: string[] = [];
  const log: Log = { ...silent, warn: (_, message) => words.push(message), info: (_, message) => words.push(message) };
  const cache = cacheOf(log);
  await clock.advance(1000);
  expect(cache.staleFor).toBe(1000);
  const running = cache.run(stop.signal);
  await clock.until(() => server.openWatches === 1);
  expect(cache.staleFor).toBe(0);
  server.fail(...Array.from({ length: 4 }, () => ({ status: 403 })));
  server.endWatches('reset');
  await clock.until(() => cache.staleFor > 1000);
  await clock.until(() => cache.staleFor === 0);
  expect(words).toEqual([
    'A watch follows the API server',
    'A watch failed; it is tried again',
    'A watch follows the API server',
  ]);
  stop.abort();
  await running;
});

const name = fc.constantFrom('a', 'b', 'c', 'd');
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>('reset', 'truncate', 'close'),
  fc.constantFrom(410, 429, 500, 503, 504).map((status) => ({ status })),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set'), name, value: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete'), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('compact', 'bookmark', 'turn') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fail'), fault }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('end'),
      how: fc.constantFrom<WatchEnd>('clean', 'reset', 'gone', 'error', 'garbage', 'half-line'),
    }),
  },
);
type Step = { do: string; name?: string; value?: number; fault?: Fault; how?: WatchEnd };

async function play(each: Step): Promise<void> {
  if (each.do === 'set') server.set(each.name ?? '', each.value);
  if (each.do === 'delete') server.delete(each.name ?? '');
  if (each.do === 'compact') server.compact();
  if (each.do === 'bookmark') server.bookmark();
  if (each.do === 'fail' && each.fault !== undefined) server.fail(each.fault);
  if (each.do === 'end' && each.how !== undefined) server.endWatches(each.how);
  if (each.do === 'turn') await clock.advance(5_000);
}

test('equals what the server holds after any script of changes and faults, and so does what its listeners were told', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (script: readonly Step[], inBand) => {
      server.goneInBand = inBand;
      const following = new AbortController();
      const cache = cacheOf();
      const told = new Map<string, Run>();
      cache.onChange((before, after) => {
        const key = (after ?? before)?.metadata.name ?? '';
        expect(told.get(key)).toEqual(before);
        if (after === undefined) told.delete(key);
        else told.set(key, after);
      });
      const running = cache.run(following.signal);
      for (const each of script) {
        await play(each);
        await clock.advance(0);
      }
      server.heal();
      const truth = () => JSON.stringify(byName(server.objects()).map(({ metadata }) => metadata));
      const copy = () => JSON.stringify(byName(cache.list()).map(({ metadata }) => metadata));
      await clock.until(() => cache.isSynced && copy() === truth(), 1000);
      expect(byName(cache.list())).toEqual(byName(server.objects()));
      expect(byName(told.values())).toEqual(byName(server.objects()));
      for (const value of ['0', '1', '2', '3'])
        expect(byName(cache.byIndex('value', value))).toEqual(
          byName(server.objects()).filter(({ spec }) => String((spec as Run['spec']).value) === value),
        );
      following.abort();
      await running;
    }),
    { numRuns: 150 },
  );
});

test('that is told that there is no such kind is not stale: nobody is started anew for that, and it comes back', async () => {
  const cache = cacheOf();
  const running = cache.run(stop.signal);
  await clock.until(() => server.openWatches === 1);
  server.set('one', 'a');
  server.fail(...Array.from({ length: 400 }, () => ({ status: 404 })));
  server.endWatches('reset');
  const begun = clock.monotonic();
  await clock.until(() => clock.monotonic() - begun > 15 * 60_000);
  expect(cache.staleFor).toBeLessThan(60_000);
  server.heal();
  await clock.until(() => server.openWatches === 1 && cache.staleFor === 0);
  expect(cache.get('shop', 'one')?.spec.value).toBe('a');
  stop.abort();
  await running;
});
