import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KubeClient } from '../../../src/kube/client.ts';
import { type WatchChange, type WatchHealth, watchCollection } from '../../../src/kube/watch.ts';
import { FakeApiServer } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let server: FakeApiServer;
let clock: FakeClock;
let client: KubeClient;
let stop: AbortController;
let seen: string[];
let health: WatchHealth[];
let watching: Promise<void>;

beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new FakeClock();
  client = server.client(clock);
  stop = new AbortController();
  seen = [];
  health = [];
});
afterEach(async () => {
  stop.abort();
  await watching;
  await client.close();
  await server.close();
});

function watch(): void {
  const onHealth = (state: WatchHealth) => health.push(state);
  const changes = watchCollection(client, server.path, { signal: stop.signal, clock, random: () => 0.5, onHealth });
  watching = (async () => {
    for await (const change of changes) seen.push(describe(change));
  })();
}

function describe(change: WatchChange): string {
  if (change.kind === 'synced') return `synced ${change.items.map(({ metadata }) => metadata.name).join(' ')}`.trim();
  return `${change.kind} ${change.object.metadata.name}`;
}

const watched = () => clock.until(() => server.openWatches === 1);
const heard = (...words: readonly string[]) => clock.until(() => seen.length >= words.length);
const queries = (name: string) => server.asked.map(({ url }) => url.searchParams.get(name));
const lists = () => server.asked.filter(({ url }) => url.searchParams.get('watch') === null).length;

test('lists, then tells each change', async () => {
  server.set('one', 1);
  watch();
  await watched();
  server.set('two', 1);
  server.set('one', 2);
  server.delete('two');
  await heard('', '', '', '');
  expect(seen).toEqual(['synced one', 'changed two', 'changed one', 'deleted two']);
});

test('lists page by page, and gives the items their kind', async () => {
  for (let number = 0; number < 1203; number += 1) server.set(`run-${number}`, number);
  const items: unknown[] = [];
  for await (const change of watchCollection(client, server.path, { signal: stop.signal, clock })) {
    if (change.kind === 'synced') items.push(...change.items);
    break;
  }
  expect(items).toEqual(server.objects());
  expect(queries('limit')).toEqual(['500', '500', '500']);
});

test('leaves out who has set which field, which is as long as all the rest', async () => {
  const managedFields = [{ manager: 'kubectl', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:value': {} } } }];
  server.set('one', 1, { managedFields, labels: { app: 'shop' } });
  const kept: unknown[] = [];
  watching = (async () => {
    for await (const change of watchCollection(client, server.path, { signal: stop.signal, clock }))
      kept.push(...(change.kind === 'synced' ? change.items : [change.object]));
  })();
  await watched();
  server.set('one', 2, { managedFields, labels: { app: 'shop' } });
  await clock.until(() => kept.length === 2);
  const common = { name: 'one', namespace: 'shop', uid: expect.any(String), labels: { app: 'shop' } };
  expect(kept).toMatchObject([
    { metadata: common, spec: { value: 1 } },
    { metadata: common, spec: { value: 2 } },
  ]);
  expect(JSON.stringify(kept)).not.toContain('managedFields');
});

test('begins the list anew when a page has expired', async () => {
  for (let number = 0; number < 600; number += 1) server.set(`run-${number}`, number);
  server.fail({ status: 410 });
  watch();
  await watched();
  expect(lists()).toBe(3);
  expect(seen).toHaveLength(1);
});

test('goes on from the last change, and from a bookmark, after the server ended the watch', async () => {
  server.set('one', 1);
  watch();
  await watched();
  server.set('two', 1);
  await heard('', '');
  server.endWatches('clean');
  await clock.until(() => server.asked.length === 3);
  await watched();
  expect(queries('resourceVersion')).toEqual([null, '101', '102']);
  expect(queries('allowWatchBookmarks')).toEqual([null, 'true', 'true']);
  expect(queries('timeoutSeconds')).toEqual([null, '450', '450']);
  server.set('elsewhere', 1);
  server.bookmark();
  await heard('', '', '');
  server.endWatches('reset');
  await clock.until(() => server.asked.length === 4);
  expect(queries('resourceVersion').at(-1)).toBe('103');
  expect(lists()).toBe(1);
});

test.each([true, false])(
  'lists again when the version is gone, and so tells of deletions (in band: %s)',
  async (inBand) => {
    server.goneInBand = inBand;
    server.set('one', 1);
    server.set('two', 1);
    watch();
    await watched();
    server.fail('reset');
    server.endWatches('reset');
    server.delete('one');
    server.compact();
    await clock.until(() => seen.length === 2);
    expect(seen).toEqual(['synced one two', 'synced two']);
  },
);

test.each(['error', 'garbage', 'half-line', 'reset'] as const)('goes on after a watch ended with: %s', async (how) => {
  server.set('one', 1);
  watch();
  await watched();
  server.endWatches(how);
  server.set('two', 1);
  await heard('', '');
  expect(seen).toEqual(['synced one', 'changed two']);
  expect(health.some(({ healthy }) => !healthy)).toBe(true);
});

test('waits longer with each failure, up to half a minute, and never gives up', async () => {
  server.fail(...Array.from({ length: 12 }, () => ({ status: 500 })));
  watch();
  await watched();
  expect(seen).toEqual(['synced']);
  // 0.75 of: 0.5, 1, 2, 4, 8, 16 s, then 30 s six times.
  expect(clock.monotonic()).toBeGreaterThanOrEqual(0.75 * (31_500 + 6 * 30_000));
  expect(clock.monotonic()).toBeLessThan(0.75 * (31_500 + 6 * 30_000) + 5_000);
});

test('asks a server that closes every watch at once ever more seldom, and lists again', async () => {
  server.set('one', 1);
  watch();
  await watched();
  server.fail(...Array.from({ length: 5 }, () => 'close' as const));
  server.endWatches('clean');
  await clock.until(() => seen.length === 2, 50);
  expect(seen).toEqual(['synced one', 'synced one']);
  expect(clock.monotonic()).toBeGreaterThan(4_000);
});

test('lists again where the server has gone back in time and says nothing', async () => {
  server.set('old', 1);
  server.set('new', 1);
  watch();
  await watched();
  server.goBackTo(['old']);
  await watched();
  await clock.advance(80_000);
  server.endWatches('clean');
  await clock.until(() => seen.length === 2);
  expect(seen).toEqual(['synced old new', 'synced old']);
});

test('of a kind that nobody touches is no fault: all is listed again in a while', async () => {
  client = server.client(clock, 1000);
  server.set('one', 1);
  watch();
  await watched();
  await clock.advance(150_000);
  await expect.poll(() => seen, { timeout: 120_000 }).toEqual(['synced one', 'synced one']);
  expect(health.filter(({ healthy }) => !healthy)).toEqual([]);
});

test('ends by the signal alone, wherever it stands', async () => {
  watch();
  await watched();
  stop.abort();
  await watching;
  stop = new AbortController();
  server.fail({ status: 500 });
  watch();
  await expect.poll(() => health.some(({ healthy }) => !healthy)).toBe(true);
  expect(clock.sleepers).toBe(1);
  stop.abort();
  await watching;
  stop = new AbortController();
  server.fail('hang');
  watch();
  await expect.poll(() => server.asked.length).toBe(4);
  stop.abort();
  await watching;
  await expect.poll(() => server.openWatches).toBe(0);
});

test('lets go of its connection when nobody listens any more', async () => {
  server.set('one', 1);
  watching = (async () => {
    for await (const change of watchCollection(client, server.path, { signal: stop.signal, clock }))
      if (change.kind === 'changed') break;
  })();
  await watched();
  server.set('one', 2);
  await watching;
  await expect.poll(() => server.openWatches).toBe(0);
});
