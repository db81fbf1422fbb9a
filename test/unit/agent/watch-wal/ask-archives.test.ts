import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NamedArchive } from '../../../../src/agent/watch-wal/archives.ts';
import { createArchiveAsker, notAnswering, type Question } from '../../../../src/agent/watch-wal/ask-archives.ts';
import { createReceiverState } from '../../../../src/agent/watch-wal/stream/receive.ts';
import { Failure, transient } from '../../../../src/domain/failure.ts';
import { segmentNameAt } from '../../../../src/domain/wal/file-name.ts';
import type { ChosenServer } from '../../../../src/postgres/choose-server.ts';
import { commitRecord, writeSegment } from '../../../support/wal/segment.ts';
import { call, makeArchive, type StoredArchive } from './stored-archive.ts';

const segmentSize = 1024 ** 2;
const at = (segment: number) => BigInt(segment) * BigInt(segmentSize);
const nameOf = (segment: number) => segmentNameAt(1, at(segment), segmentSize);
/** Each segment holds a commit of its own second. */
const timeOf = (segment: number) => new Date(Date.UTC(2026, 2, 10, 12, 0, segment));
const tracking = { surveyEvery: 3_600_000, surveyPause: 0, holeAge: 0, now: () => new Date(Date.now() + 1000) };
const patient = async () => undefined;

/** Of a server whose timeline is its first, nobody asks for a history. */
const server = undefined as unknown as ChosenServer;
const position = { timeline: 1, current: at(9) + 5n, segmentSize };
const stream: Question = {
  server,
  position,
  mode: { kind: 'Stream', slot: undefined, receiver: createReceiverState() },
};
const failing = (segment: number, seconds: number): Question => ({
  server,
  position,
  mode: {
    kind: 'Archive',
    setting: { state: 'Set' },
    archiver: {
      lastArchived: undefined,
      lastFailed: { name: nameOf(segment), time: new Date(1000 * seconds) },
      pending: 1,
    },
  },
});

let offsite: StoredArchive;
let local: StoredArchive;

beforeEach(async () => {
  [offsite, local] = await Promise.all([makeArchive('offsite'), makeArchive('local-disk')]);
});

afterEach(() => Promise.all([offsite?.remove(), local?.remove()]));

const store = async ({ archive }: NamedArchive, ...segments: readonly number[]) => {
  for (const segment of segments) {
    const records = [commitRecord(timeOf(segment).getTime() * 1000)];
    await archive.put(nameOf(segment), writeSegment({ name: nameOf(segment), records }).content, call);
  }
};
const asker = (...archives: readonly NamedArchive[]) => createArchiveAsker(archives, tracking, 5);

test('what is known is known of the repository that is the furthest behind', async () => {
  await store(offsite, 3, 4, 5);
  await store(local, 3, 4);
  const found = await asker(offsite, local).ask(stream, patient, call.signal);
  expect(found).toMatchObject({
    archives: [
      { name: 'offsite', state: { end: at(6) } },
      { name: 'local-disk', state: { end: at(5) } },
    ],
    lastCommit: timeOf(4),
    gaps: [],
    refusal: undefined,
  });
});

test('a gap of two repositories is told once, with the commits around it', async () => {
  for (const each of [offsite, local]) await store(each, 3, 6);
  const found = await asker(offsite, local).ask(stream, patient, call.signal);
  const [fromTime, toTime] = [timeOf(3).toISOString(), timeOf(6).toISOString()];
  expect(found).toMatchObject({ gaps: [{ timeline: 1, fromWal: nameOf(4), toWal: nameOf(5), fromTime, toTime }] });
});

test('what the archiver tries again and again is looked for, once the server archives through the script', async () => {
  await store(local, 3);
  const asking = asker(local);
  expect(await asking.ask(failing(3, 1), patient, call.signal)).toMatchObject({ refusal: undefined });
  const again = failing(3, 61);
  expect(await asking.ask(again, patient, call.signal)).toMatchObject({ refusal: { reason: 'WalConflict' } });
  const unset = { ...again, mode: { ...again.mode, setting: { state: 'RestartNeeded' as const } } } as Question;
  expect(await asking.ask(unset, patient, call.signal)).toMatchObject({ refusal: undefined });
});

describe('a repository that does not answer', () => {
  /** Lists nothing before `release` is called. */
  const slow = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked = { times: 0 };
    const archive: NamedArchive['archive'] = {
      ...local.archive,
      async *list(...given) {
        asked.times += 1;
        await promise;
        yield* local.archive.list(...given);
      },
    };
    return { named: { name: 'slow', archive }, release: resolve, asked };
  };

  test('is waited for as long as patience lasts, and what was asked is answered at a later look', async () => {
    await store(local, 3);
    const { named, release, asked } = slow();
    const asking = asker(named);
    let looks = 0;
    const impatient = async () => (++looks < 3 ? undefined : notAnswering());
    expect(await asking.ask(stream, impatient, call.signal)).toMatchObject({ reason: 'StoreUnreachable' });
    expect(looks).toBe(3);
    release();
    expect(await asking.ask(stream, patient, call.signal)).toMatchObject({ lastCommit: timeOf(3) });
    expect(asked.times).toBe(1);
  });

  test('ends no look that is told to end', async () => {
    const { named, release } = slow();
    const ending = new AbortController();
    const looking = asker(named).ask(stream, async () => void ending.abort(new Error('told to stop')), ending.signal);
    await expect(looking).rejects.toThrow();
    release();
  });
});

test.each([
  ['a failure', transient('StoreUnreachable', 'It is down.'), 'StoreUnreachable'],
  ['an error that nobody foresaw', new TypeError('x is not a function'), undefined],
])('%s of a repository is given, not thrown, and the next look asks again', async (_, error, reason) => {
  await store(local, 3);
  let broken = true;
  const archive: NamedArchive['archive'] = {
    ...local.archive,
    async *list(...given) {
      if (broken) throw error;
      yield* local.archive.list(...given);
    },
  };
  const asking = asker({ name: 'broken', archive });
  const given = await asking.ask(stream, patient, call.signal);
  expect(given).toBeInstanceOf(Failure);
  if (reason !== undefined) expect(given).toMatchObject({ reason });
  broken = false;
  expect(await asking.ask(stream, patient, call.signal)).toMatchObject({ lastCommit: timeOf(3) });
});
