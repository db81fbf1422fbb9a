import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createReporter, fitting, type Patience, type ReporterOptions } from '../../../src/agent/report.ts';

const startTime = new Date('2026-11-21T06:00:00Z');
const hasty: Patience = { progress: 3000, write: 1000, facts: 4000, finish: 60_000, firstRetry: 500 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-report-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

function setUp(apply: ReporterOptions['apply'] = async () => undefined) {
  const written: Record<string, unknown>[] = [];
  const terminationMessage = join(folder, 'termination-log');
  const reporter = createReporter({
    apply: async (status, signal) => {
      await apply(status, signal);
      written.push(status);
    },
    log: { warn: vi.fn() },
    pod: 'orders-1-abcde',
    startTime,
    patience: hasty,
    terminationMessage,
  });
  return { reporter, written, terminationMessage };
}

test('every write says all that the agent owns: server-side apply drops what is left out', async () => {
  const { reporter, written } = setUp();
  await reporter.facts({ backupID: 'x' });
  await reporter.facts({ checksum: 'sha256:1' });
  await reporter.finish({ outcome: 'Succeeded', reason: 'BackupStored', message: 'done' });
  expect(written.at(-1)).toMatchObject({
    backupID: 'x',
    checksum: 'sha256:1',
    report: {
      outcome: 'Succeeded',
      reason: 'BackupStored',
      pod: 'orders-1-abcde',
      startTime: '2026-11-21T06:00:00.000Z',
      completionTime: expect.any(String),
    },
  });
});

test('progress is written every few seconds, the latest of it', async () => {
  vi.useFakeTimers();
  const { reporter, written } = setUp();
  for (let second = 0; second < 10; second += 1) {
    reporter.progress({ percent: second });
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(written.map(({ progress }) => progress)).toEqual([
    { percent: 0 },
    { percent: 2 },
    { percent: 5 },
    { percent: 8 },
  ]);
});

describe('an API server that is away', () => {
  test('neither fails nor holds up the work', async () => {
    vi.useFakeTimers();
    const { reporter, written } = setUp(() => Promise.reject(new Error('unreachable')));
    reporter.progress({ percent: 1 });
    await vi.advanceTimersByTimeAsync(5000);
    const facts = reporter.facts({ backupID: 'x' });
    await vi.advanceTimersByTimeAsync(5000);
    await facts;
    expect(written).toEqual([]);
  });

  test('gets the last word when it is back within a minute', async () => {
    vi.useFakeTimers();
    let away = true;
    const { reporter, written } = setUp(async () => {
      if (away) throw new Error('unreachable');
    });
    setTimeout(() => {
      away = false;
    }, 20_000);
    const finished = reporter.finish({ outcome: 'Failed', reason: 'WrongPassword', message: 'no', retryable: false });
    await vi.advanceTimersByTimeAsync(0);
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(5000);
      expect(written).toHaveLength(1);
    });
    await finished;
    expect(written[0]).toMatchObject({ report: { outcome: 'Failed', reason: 'WrongPassword' } });
  });

  test('leaves the last word to the termination message, with the facts that matter', async () => {
    const impatient = { ...hasty, finish: 0 };
    const terminationMessage = join(folder, 'message');
    const reporter = createReporter({
      apply: () => Promise.reject(new Error('unreachable')),
      log: { warn: vi.fn() },
      pod: undefined,
      startTime,
      patience: { ...impatient, facts: 0 },
      terminationMessage,
    });
    await reporter.facts({ backupID: 'x', checksum: 'sha256:1', databases: [{ name: 'a' }] });
    await reporter.finish({ outcome: 'Succeeded', reason: 'BackupStored', message: 'done' });
    const said = JSON.parse(await readFile(terminationMessage, 'utf8'));
    expect(said).toMatchObject({ report: { outcome: 'Succeeded' }, backupID: 'x', checksum: 'sha256:1' });
    expect(said).toHaveProperty('databases', [{ name: 'a' }]);
  });
});

test('a termination message is whole JSON of at most 4096 bytes, however long the words', () => {
  for (const message of ['short', 'ä'.repeat(4096), '漢'.repeat(10_000), '"\n'.repeat(3000)]) {
    const text = fitting({
      report: { outcome: 'Failed', reason: 'X', message },
      backupID: 'x',
      repositories: [{ name: 'a', state: 'Failed' }],
    });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    expect(JSON.parse(text)).toMatchObject({ report: { outcome: 'Failed', reason: 'X' }, backupID: 'x' });
  }
});

test('what became of hooks gives way in a termination message: without it they are run again, without the rest nothing is found', () => {
  const report = { outcome: 'Succeeded', reason: 'BackupStored', message: 'done' } as const;
  const hooks = (message: string) => ({
    phase: 'Completed',
    results: [{ hook: 'postBackup[0]', state: 'Failed', message }],
  });
  const said = (message: string) => JSON.parse(fitting({ report, backupID: 'x', hooks: hooks(message) }));
  expect(said('short')).toEqual({ report, backupID: 'x', hooks: hooks('short') });
  expect(said('m'.repeat(4096))).toEqual({ report, backupID: 'x' });
});

describe('the databases in a termination message', () => {
  const databases = (count: number, message = '') =>
    Array.from({ length: count }, (_, index) => ({
      name: `database_${index}`,
      bytes: '123456789',
      storedBytes: '12345678',
      encoding: 'UTF8',
      state: 'Stored',
      ...(message === '' ? {} : { message }),
    }));
  const said = (message: string, list: readonly object[]) => {
    const text = fitting({
      report: { outcome: 'Failed', reason: 'DatabasesFailed', message },
      backupID: 'x',
      databases: list,
    });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    return JSON.parse(text);
  };

  test('are told whole where there is room', () => {
    expect(said('short', databases(20)).databases).toEqual(databases(20));
  });

  test('are all named with their sizes where their messages and that of the report are long', () => {
    const told = said('m'.repeat(4096), databases(10, 'why '.repeat(250)));
    expect(told.databases.map(({ name, storedBytes }: Record<string, string>) => [name, storedBytes])).toEqual(
      databases(10).map(({ name, storedBytes }) => [name, storedBytes]),
    );
    expect(told.databases[0].message).toMatch(/^why .{10,}…$/);
    expect(told.report.message.length).toBeGreaterThan(1500);
  });

  test('are left out rather than told in part', () => {
    const told = said('m'.repeat(3000), databases(200));
    expect(told).not.toHaveProperty('databases');
    expect(told).toMatchObject({ backupID: 'x', report: { message: 'm'.repeat(3000) } });
  });
});
