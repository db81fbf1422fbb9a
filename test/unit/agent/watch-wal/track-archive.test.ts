import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { trackArchive } from '../../../../src/agent/watch-wal/track-archive.ts';
import { segmentNameAt } from '../../../../src/domain/wal/file-name.ts';
import type { Store } from '../../../../src/repository/store.ts';
import { volumeStore } from '../../../../src/repository/volume.ts';
import { openWalArchive, type WalArchive } from '../../../../src/repository/wal-archive.ts';

const size = 1024 * 1024;
const at = (segment: number) => BigInt(segment) * BigInt(size);
const name = (timeline: number, segment: number) => segmentNameAt(timeline, at(segment), size);
const call = { signal: AbortSignal.timeout(120_000) };

let folder: string;
let store: Store;
let archive: WalArchive;
let listings: number;
let probes: number;
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-track-'));
  store = volumeStore({ mount: folder, claimName: 'backups', path: 'wal' });
  const opened = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier: '1' });
  [listings, probes, now] = [0, 0, new Date(Date.now() + 1000)];
  archive = {
    ...opened,
    list: (...given) => {
      listings += 1;
      return opened.list(...given);
    },
    has: (...given) => {
      probes += 1;
      return opened.has(...given);
    },
  };
  return async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
});

const put = (...names: readonly string[]) =>
  Promise.all(names.map((each) => archive.put(each, Buffer.from('WAL'), call)));
const track = () =>
  trackArchive(archive, { surveyEvery: 3_600_000, surveyPause: 60_000, holeAge: 300_000, now: () => now });
const server = (current: number, acknowledged?: number, timeline = 1) => ({
  timeline,
  segmentSize: size,
  current: at(current) + 5n,
  acknowledged: acknowledged === undefined ? undefined : { timeline, end: at(acknowledged) },
});
const later = (seconds: number) => {
  now = new Date(now.getTime() + seconds * 1000);
};

test('after one listing it asks for the next segment only, and catches up in one look', async () => {
  await put(name(1, 3));
  const tracker = track();
  expect((await tracker.look(server(4), call)).end).toBe(at(4));
  expect([listings, probes]).toEqual([1, 0]);
  expect((await tracker.look(server(5), call)).end).toBe(at(4));
  expect([listings, probes]).toEqual([1, 1]);
  await put(...Array.from({ length: 40 }, (_, index) => name(1, 4 + index)));
  const caughtUp = await tracker.look(server(50), call);
  expect(caughtUp).toMatchObject({ end: at(44), gaps: [], storedTime: now });
  expect(listings).toBe(1);
});

test('a hole is a gap once the server takes what is missing for archived, and not before', async () => {
  await put(name(1, 3), name(1, 5));
  expect(await track().look(server(7, 4), call)).toMatchObject({ end: at(4), gaps: [] });
  const found = await track().look(server(7, 6), call);
  expect(found).toMatchObject({ end: at(6), from: at(5), gaps: [{ fromWal: name(1, 4), toWal: name(1, 4) }] });
});

test('where the server does not know, a hole is believed when it is old', async () => {
  await put(name(1, 3), name(1, 5));
  expect(await track().look(server(7), call)).toMatchObject({ end: at(4), gaps: [] });
  later(400);
  expect(await track().look(server(7), call)).toMatchObject({ end: at(6), gaps: [{ fromWal: name(1, 4) }] });
});

test('a missing segment that the server takes for archived makes it list again, once in a while', async () => {
  await put(name(1, 3));
  const tracker = track();
  await tracker.look(server(4, 4), call);
  await put(name(1, 5), name(1, 6));
  expect((await tracker.look(server(8, 7), call)).gaps).toEqual([]);
  expect(listings).toBe(1);
  later(61);
  expect(await tracker.look(server(8, 7), call)).toMatchObject({ end: at(7), gaps: [{ fromWal: name(1, 4) }] });
  expect(listings).toBe(2);
});

test('a new timeline is followed along its history', async () => {
  await put(name(1, 3), name(1, 4));
  const tracker = track();
  await tracker.look(server(5, 5), call);
  const fork = `0/${(Number(at(5)) + 100).toString(16).toUpperCase()}`;
  await archive.put('00000002.history', Buffer.from(`1\t${fork}\tno recovery target specified\n`), call);
  await put(`${name(1, 5)}.partial`);
  expect((await tracker.look(server(5, undefined, 2), call)).end).toBe(at(5) + 100n);
  await put(name(2, 5), name(2, 6));
  expect(await tracker.look(server(7, 7, 2), call)).toMatchObject({ end: at(7), gaps: [], history: { timeline: 2 } });
});
