import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findRefusals, type RefusalFinder } from '../../../../src/agent/watch-wal/explain-refusal.ts';
import { parseLsn } from '../../../../src/domain/wal/lsn.ts';
import { call, makeArchive, type StoredArchive } from './stored-archive.ts';

const [first, second] = ['000000010000000000000003', '000000010000000000000004'];
const position = { timeline: 1, current: parseLsn('0/5000000'), segmentSize: 16_777_216 };
const file = (name: string, seconds: number) => ({ name, time: new Date(1_000_000 + seconds * 1000) });

let archives: StoredArchive[];
let refusals: RefusalFinder;

beforeEach(async () => {
  archives = await Promise.all([makeArchive('offsite'), makeArchive('local-disk')]);
  refusals = findRefusals();
});

afterEach(() => Promise.all(archives.map(({ remove }) => remove())));

const putEverywhere = (name: string) => Promise.all(archives.map(({ put }) => put(name)));
/** What the server says at one look. */
const look = (lastFailed?: ReturnType<typeof file>, lastArchived?: ReturnType<typeof file>) =>
  refusals.look({ lastFailed, lastArchived, pending: 1 }, position, archives, call);

describe('a name that is taken', () => {
  test('and that the server tries again is a conflict, told with the archives', async () => {
    await putEverywhere(first);
    expect(await look(file(first, 1))).toBeUndefined();
    const found = await look(file(first, 61));
    expect(found).toMatchObject({ reason: 'WalConflict', message: expect.stringContaining(first) });
    expect(found?.message).toMatch(/ in offsite, .* in local-disk\)/);
    expect(await look(file(first, 61))).toMatchObject({ reason: 'WalConflict' });
  });

  test('is none yet at the first failure, however often it is looked at', async () => {
    await putEverywhere(first);
    for (let looks = 0; looks < 3; looks += 1) expect(await look(file(first, 1))).toBeUndefined();
  });

  test('is none where the server has archived it since', async () => {
    await putEverywhere(first);
    await look(file(first, 1));
    expect(await look(file(first, 1), file(first, 2))).toBeUndefined();
    // That it was tried before is forgotten with it.
    expect(await look(file(first, 61), file(first, 2))).toBeUndefined();
    expect(await look(file(first, 121), file(first, 2))).toMatchObject({ reason: 'WalConflict' });
  });

  test('is none where another one fails now', async () => {
    await putEverywhere(first);
    await putEverywhere(second);
    await look(file(first, 1));
    expect(await look(file(second, 61))).toBeUndefined();
    expect(await look(file(second, 121))).toMatchObject({ message: expect.stringContaining(second) });
  });

  test('is none while a repository does not have it: it is the store that fails', async () => {
    await archives[0]?.put(first);
    await look(file(first, 1));
    expect(await look(file(first, 61))).toBeUndefined();
  });
});

test('a server that does not fail is not refused', async () => {
  await putEverywhere(first);
  expect(await look()).toBeUndefined();
  expect(await look(undefined, file(first, 1))).toBeUndefined();
});

test('nothing is said of a file that is no WAL', async () => {
  expect(await look(file('notes.txt', 1))).toBeUndefined();
  expect(await look(file('notes.txt', 61))).toBeUndefined();
});

test('a promotion elsewhere is told at once, before any name', async () => {
  await archives[1]?.putHistory(2, '0/4000100');
  expect(await look(file(first, 1))).toMatchObject({ reason: 'OldPrimary' });
});
