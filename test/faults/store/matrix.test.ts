import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { S3Timings } from '../../../src/repository/s3-connection.ts';
import { errorBody } from '../../support/s3/faulty-server.ts';
import { openS3 } from '../../support/s3/open.ts';
import { type Asked, type Fate, refusal, type S3Kind, startScriptedProxy } from '../../support/s3/scripted-proxy.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { attempt, type Operation, operations, prepare, prepareDownloads, struck } from './outcome.ts';

/** Shorter than the real ones; what is silent is told from what is slow, also on a busy machine. */
const timings: S3Timings = { connect: 5000, idle: 20_000, completing: 20_000, outage: 15_000, cleanUp: 20_000 };
/** Of a fault that lasts. */
const brief = 800;
const silent: S3Timings = { ...timings, idle: 2000, completing: 2000 };
/** Of any cell, whatever the store does: the SDK's four attempts, and those that begin within the outage. */
const bound = 60_000;
const always = Number.POSITIVE_INFINITY;

interface Fault {
  readonly name: string;
  readonly fate: Fate | ((asked: Asked) => Fate);
  /** How often in a row. */
  readonly times: number;
  readonly timings?: S3Timings;
  /** Per operation: `done`, or the reason. What is not here cannot happen to it. */
  readonly expected: Partial<Record<Operation, string>>;
}

const all = (outcome: string) => Object.fromEntries(operations.map((each) => [each, outcome]));
const ok = (body: string): Fate => ({ answer: 200, body, headers: { 'content-type': 'application/xml' } });
const writing = (outcome: string) => ({ put: outcome, begin: outcome, part: outcome, complete: outcome });

const faults: readonly Fault[] = [
  { name: '503 without words, twice', fate: { answer: 503 }, times: 2, expected: all('done') },
  { name: 'SlowDown, five times', fate: refusal(503, 'SlowDown'), times: 5, expected: all('done') },
  { name: 'SlowDown that does not end', fate: refusal(503, 'SlowDown'), times: always, expected: all('SlowDown') },
  {
    name: 'InternalError that does not end',
    fate: refusal(500, 'InternalError'),
    times: always,
    expected: all('StoreError'),
  },
  { name: 'a reset', fate: { fault: 'reset' }, times: 3, expected: all('done') },
  { name: 'resets that do not end', fate: { fault: 'reset' }, times: always, expected: all('StoreUnreachable') },
  {
    name: 'a reset in the middle of what is sent',
    fate: ({ kind }) => ({ fault: 'reset-request', after: kind === 'part' ? 1_000_000 : 100 }),
    times: 2,
    expected: { put: 'done', part: 'done', complete: 'done', delete: 'done' },
  },
  {
    name: 'an answer that breaks off',
    fate: ({ kind }) => ({ fault: 'cut', after: kind === 'get' ? 1_000_000 : 60 }),
    times: 2,
    expected: { begin: 'done', complete: 'done', download: 'done', list: 'done', delete: 'done' },
  },
  {
    name: 'an answer that is lost after the store has done it',
    fate: { fault: 'lose' },
    times: 1,
    expected: all('done'),
  },
  {
    name: 'a 200 whose body is an error',
    fate: ok(errorBody('InternalError')),
    times: 1,
    expected: { begin: 'done', complete: 'done', download: 'ChecksumMismatch', list: 'done', delete: 'done' },
  },
  {
    name: 'a 200 whose body is an error, with a line’s end after it',
    fate: ok(`${errorBody('InternalError')}\n`),
    times: 1,
    expected: { complete: 'ChecksumMismatch', download: 'ChecksumMismatch', list: 'done', delete: 'done' },
  },
  {
    name: 'a 200 with nothing behind it',
    fate: ok(''),
    times: 1,
    expected: { complete: 'done', download: 'ChecksumMismatch', list: 'done', delete: 'done' },
  },
  { name: 'a silence', fate: { fault: 'stall' }, timings: silent, times: 1, expected: all('done') },
  {
    name: 'a silence that does not end',
    fate: { fault: 'stall' },
    timings: silent,
    times: always,
    expected: all('StoreUnreachable'),
  },
  {
    name: 'a silence in the middle of an answer',
    fate: ({ kind }) => ({ fault: 'stall-answer', after: kind === 'get' ? 1_000_000 : 60 }),
    times: 1,
    timings: silent,
    expected: { begin: 'done', complete: 'done', download: 'done', list: 'done', delete: 'done' },
  },
  {
    name: 'an answer that is short, and says so',
    fate: { fault: 'shorten', by: 40 },
    times: 1,
    expected: { begin: 'done', complete: 'done', download: 'done', list: 'done', delete: 'done' },
  },
  {
    name: 'an object that is told shorter than it is',
    fate: { fault: 'shorten-and-lie', by: 3 * 1024 ** 2 },
    times: 1,
    expected: { download: 'ChecksumMismatch' },
  },
  {
    name: 'a bit that changes on its way there',
    fate: { fault: 'flip-request', at: 0.5 },
    times: 1,
    expected: { put: 'done', part: 'done' },
  },
  {
    name: 'a bit that changes on its way back',
    fate: { fault: 'flip-answer', at: 0.5 },
    times: 1,
    expected: { download: 'ChecksumMismatch' },
  },
  { name: 'a 409, once', fate: refusal(409, 'ConditionalRequestConflict'), times: 1, expected: writing('done') },
  {
    name: 'a 409 that does not end',
    fate: refusal(409, 'OperationAborted'),
    times: always,
    expected: writing('WriteConflict'),
  },
  {
    name: 'a 412 though nobody else writes',
    fate: refusal(412, 'PreconditionFailed'),
    times: always,
    expected: { put: 'ObjectExists', complete: 'ObjectExists' },
  },
  {
    name: 'a token that has expired',
    fate: refusal(400, 'ExpiredToken'),
    times: always,
    expected: all('ExpiredToken'),
  },
  { name: 'a 507', fate: { answer: 507 }, times: always, expected: writing('StoreFull') },
  { name: 'QuotaExceeded', fate: refusal(403, 'QuotaExceeded'), times: always, expected: writing('StoreFull') },
  {
    name: 'InsufficientStorage',
    fate: refusal(507, 'InsufficientStorage'),
    times: always,
    expected: writing('StoreFull'),
  },
  {
    name: 'a clock that is off',
    fate: refusal(403, 'RequestTimeTooSkewed'),
    times: always,
    expected: all('ClockSkew'),
  },
  { name: 'AccessDenied', fate: refusal(403, 'AccessDenied'), times: always, expected: all('AccessDenied') },
];

const cells = faults.flatMap((fault) =>
  operations.flatMap((operation) => {
    const expected = fault.expected[operation];
    return expected === undefined ? [] : [{ fault, operation, expected, name: `${fault.name}: ${operation}` }];
  }),
);

const prefixOfDownloads = 'downloads';
let server: S3Server;
let slowest = { name: '', took: 0 };

beforeAll(async () => {
  server = await startS3Server();
  await server.createBucket('backups');
  const direct = openS3({ ...server, bucket: 'backups', prefix: prefixOfDownloads });
  await prepareDownloads({ direct, folder: 'folder', signal: AbortSignal.timeout(120_000) });
  await direct.close();
});
afterAll(async () => {
  await server?.stop();
  process.stdout.write(`${cells.length} cells; the slowest, ${slowest.name}: ${Math.round(slowest.took)} ms\n`);
});

describe.concurrent('what the store does, and what becomes of it', () => {
  test.each(cells)('$name → $expected', async ({ fault, operation, expected, name }) => {
    const hits = (kind: S3Kind) => kind === struck[operation] || (operation === 'delete' && kind === 'delete');
    let strikes = 0;
    const proxy = await startScriptedProxy(server.endpoint, (asked) => {
      if (!hits(asked.kind) || strikes >= fault.times) return 'forward';
      strikes += 1;
      return typeof fault.fate === 'function' ? fault.fate(asked) : fault.fate;
    });
    const own = `cell-${cells.findIndex((cell) => cell.name === name)}`;
    const place = { ...server, bucket: 'backups', prefix: operation === 'download' ? prefixOfDownloads : own };
    const direct = openS3(place);
    const store = openS3(
      { ...place, endpoint: proxy.endpoint },
      {
        ...(fault.timings ?? timings),
        ...(fault.times === always ? { outage: brief } : {}),
      },
    );
    const cell = { operation, store, direct, folder: 'folder', signal: AbortSignal.timeout(120_000) };
    try {
      await prepare(cell);
      // As in a Job, which has been answered before: one that never was gives up at once.
      await store.head('nothing', cell);
      const begun = performance.now();
      const { said, message, wrong } = await attempt(cell);
      const took = performance.now() - begun;
      if (took > slowest.took) slowest = { name, took };
      expect({ said, wrong }, message).toEqual({ said: expected, wrong: [] });
      expect(strikes, 'the fault struck').toBeGreaterThan(0);
      expect(took).toBeLessThan(bound);
      // What failed, where, and what to do.
      if (said !== 'done') expect(message).toMatch(/(s3:\/\/backups|folder\/object).* .+[.:] [A-Z].+\.$/s);
    } finally {
      await store.close();
      await direct.close();
      await proxy.stop();
    }
  });
});
