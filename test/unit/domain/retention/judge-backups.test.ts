import { describe, expect, test } from 'vitest';
import { retention as retentionSchema } from '../../../../src/api/retention.ts';
import { periodNames } from '../../../../src/domain/retention/calendar.ts';
import { findDoubt } from '../../../../src/domain/retention/doubts.ts';
import { judgeBackups } from '../../../../src/domain/retention/judge-backups.ts';
import { prunableWal } from '../../../../src/domain/retention/prunable-wal.ts';
import type { RepositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';
import type { ServerWal } from '../../../../src/domain/retention/server-wal.ts';
import { timeZonesOf } from '../../../../src/domain/retention/time-zones.ts';
import { durationOf } from '../../../../src/domain/retention/window.ts';

const now = new Date('2026-11-21T12:00:00Z');
const size = 1024 ** 2;
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);

function backup(backupID: string, days: number, more: Partial<RepositoryBackup> = {}): RepositoryBackup {
  const completionTime = daysAgo(days);
  return {
    backupID,
    run: `run-${backupID}`,
    path: backupID,
    systemIdentifier: '1',
    method: 'Logical',
    type: 'Full',
    startTime: new Date(completionTime.getTime() - 60_000),
    completionTime,
    complete: true,
    bytes: 1,
    held: false,
    ...more,
  };
}

/** A base backup that begins in a segment of a timeline. */
function base(
  backupID: string,
  days: number,
  segment: number,
  more: Partial<RepositoryBackup> & { timeline?: number } = {},
) {
  const { timeline = 1, ...rest } = more;
  const begin = BigInt(segment * size);
  const made = backup(backupID, days, { method: 'Physical', ...rest });
  const physical = {
    backupID,
    path: backupID,
    timeline,
    begin,
    end: begin + 9n,
    time: made.completionTime,
    segmentSize: size,
    ownWal: false,
  };
  return { ...made, physical };
}

function wal(parts: Partial<ServerWal> & { readonly written?: Readonly<Record<number, number>> } = {}): ServerWal {
  const { written = { 1: 0 }, ...rest } = parts;
  const timelines = new Map(
    Object.entries(written).map(([timeline, days]) => [Number(timeline), { newest: daysAgo(days) }]),
  );
  return { systemIdentifier: '1', timelines, histories: new Map(), unfinishedBackups: false, ...rest };
}

function kept(
  backups: readonly RepositoryBackup[],
  rules: object,
  wals: readonly ServerWal[] = [wal()],
  timeZone = 'Etc/UTC',
) {
  const timeZones = { Logical: timeZone, Physical: timeZone };
  const retention = retentionSchema.parse({ minBackups: 0, ...rules });
  const verdicts = judgeBackups({ retention, backups, wals, timeZones, now });
  return Object.fromEntries(verdicts.filter(({ keep }) => keep).map((each) => [each.backup.backupID, each.reason]));
}

describe('the rules', () => {
  test('look at each method by itself', () => {
    const backups = [backup('l1', 9), backup('l2', 1), base('p1', 8, 1), base('p2', 7, 2)];
    expect(Object.keys(kept(backups, { keepLast: 1 }))).toEqual(['l2', 'p2']);
  });

  test('keep of the window what ended in it and what it begins with', () => {
    const backups = [
      backup('l1', 20),
      backup('l2', 15),
      backup('l3', 1),
      base('p1', 20, 1),
      base('p2', 15, 2),
      base('p3', 2, 3),
    ];
    expect(kept(backups, { recoveryWindow: '14d' })).toEqual({
      l3: 'newest, recoveryWindow',
      l2: 'recoveryWindow begins after it',
      p3: 'newest, recoveryWindow',
      p2: 'recoveryWindow begins after it',
    });
  });

  test('count days by the clock of the time zone, also where that changes', () => {
    const at = (time: string) => backup(time, 0, { startTime: new Date(time), completionTime: new Date(time) });
    const backups = [
      at('2026-10-24T21:59:00Z'),
      at('2026-10-24T22:01:00Z'),
      at('2026-10-25T22:59:00Z'),
      at('2026-10-25T23:01:00Z'),
    ];
    const named = (timeZone: string) => Object.keys(kept(backups, { keepDaily: 3 }, [wal()], timeZone));
    expect(named('Europe/Amsterdam')).toEqual(['2026-10-25T23:01:00Z', '2026-10-25T22:59:00Z', '2026-10-24T21:59:00Z']);
    expect(named('Etc/UTC')).toEqual(['2026-10-25T23:01:00Z', '2026-10-24T22:01:00Z']);
  });

  test('keep what an increment stands on, and do not count one whose parent is gone', () => {
    const full = base('full', 30, 1);
    const first = base('first', 20, 2, { type: 'Incremental', parent: 'full' });
    const second = base('second', 10, 3, { type: 'Incremental', parent: 'first' });
    expect(Object.keys(kept([base('older', 40, 0), full, first, second], { keepLast: 1 }))).toEqual([
      'second',
      'first',
      'full',
    ]);
    expect(Object.keys(kept([full, second], { keepLast: 1 }))).toEqual(['second', 'full']);
    expect(kept([full, second], { keepLast: 1 })).toMatchObject({
      second: 'no newer complete backup',
      full: 'newest, keepLast',
    });
  });

  test('never let the last complete backup of a method go, nor count one that lacks databases', () => {
    const backups = [backup('whole', 400), backup('partial', 1, { complete: false })];
    expect(kept(backups, { recoveryWindow: '1h' })).toEqual({
      partial: 'no newer complete backup',
      whole: 'newest, recoveryWindow begins after it',
    });
  });

  test('keep the newest of a server that was replaced, for a month', () => {
    const backups = [backup('lost', 20), backup('old', 21), backup('empty', 1, { systemIdentifier: '2' })];
    const wals = [wal({ written: {} }), wal({ systemIdentifier: '2', written: {} })];
    expect(Object.keys(kept(backups, { keepLast: 1 }, wals))).toEqual(['empty', 'lost']);
    expect(Object.keys(kept([backup('lost', 31), ...backups.slice(2)], { keepLast: 1 }, wals))).toEqual(['empty']);
  });

  test('give a timeline that was left the backup that leads to it, as long as it was written to in the window', () => {
    // The server was brought back to before its second backup.
    const histories = new Map([[2, [{ timeline: 1, end: BigInt(2 * size) }]]]);
    const backups = [base('first', 30, 1), base('second', 25, 3), base('third', 1, 4, { timeline: 2 })];
    const named = (written: Readonly<Record<number, number>>) =>
      Object.keys(kept(backups, { recoveryWindow: '14d' }, [wal({ histories, written })]));
    expect(named({ 1: 10, 2: 0 })).toEqual(['third', 'second', 'first']);
    expect(named({ 1: 16, 2: 0 })).toEqual(['third', 'first']);
  });
});

describe('the WAL', () => {
  const prunable = (kept: readonly RepositoryBackup[], parts: Parameters<typeof wal>[0]) =>
    prunableWal({ wals: [wal(parts)], kept, windowStart: daysAgo(14), now }).map(({ timeline, before: first }) => [
      timeline,
      first,
    ]);
  const histories = new Map([[2, [{ timeline: 1, end: BigInt(2 * size) + 5n }]]]);

  test('goes behind the oldest backup that stays', () => {
    expect(prunable([base('a', 9, 7), base('b', 3, 5)], {})).toEqual([[1, 5n]]);
  });

  test('of the timelines that a backup can get onto stays whole', () => {
    const parts = { histories, written: { 1: 30, 2: 0 } };
    expect(prunable([base('a', 40, 1)], parts)).toEqual([[1, 1n]]);
    expect(prunable([base('a', 20, 2, { timeline: 2 })], parts)).toEqual([
      [1, 2n],
      [2, 2n],
    ]);
    expect(prunable([base('a', 20, 4, { timeline: 2 })], parts)).toEqual([
      [1, undefined],
      [2, 4n],
    ]);
  });

  test('of a server that another one has replaced goes whole, when it is old', () => {
    const pruned = (days: number, unfinishedBackups = false) => {
      const wals = [wal({ written: { 1: days }, unfinishedBackups }), wal({ systemIdentifier: '2' })];
      const kept = [base('new', 1, 4, { systemIdentifier: '2' })];
      return prunableWal({ wals, kept, windowStart: daysAgo(14), now }).map((each) => [
        each.systemIdentifier,
        each.before,
      ]);
    };
    expect(pruned(15)).toEqual([
      ['1', undefined],
      ['2', 4n],
    ]);
    expect(pruned(13)).toEqual([['2', 4n]]);
    expect(pruned(15, true)).toEqual([['2', 4n]]);
  });

  test('of a present server without a backup stays, and of a timeline that may get one', () => {
    expect(prunable([], {})).toEqual([]);
    expect(prunable([base('a', 20, 4)], { histories, written: { 1: 30, 2: 30 } })).toEqual([[1, 4n]]);
    const sibling = new Map([...histories, [3, [{ timeline: 1, end: BigInt(9 * size) }]]]);
    const left = (days: number) =>
      prunable([base('a', 20, 4)], { histories: sibling, written: { 1: 30, 2: days, 3: 0 } });
    expect(left(3)).toEqual([[1, 4n]]);
    expect(left(15)).toEqual([
      [1, 4n],
      [2, undefined],
    ]);
  });
});

test('a doubt is found: a clock, a history, sizes of segments', () => {
  const doubt = (backups: readonly RepositoryBackup[], parts: Parameters<typeof wal>[0] = {}) =>
    findDoubt({ repository: 'store', backups, wals: [wal(parts)], now })?.reason;
  expect(doubt([base('a', 1, 1)])).toBeUndefined();
  expect(doubt([base('a', -1, 1)])).toBe('ClockWentBack');
  expect(doubt([], { written: { 1: -1 } })).toBe('ClockWentBack');
  expect(doubt([base('a', 1, 1)], { written: { 1: 0, 2: 0 } })).toBe('HistoryMissing');
  expect(doubt([base('a', 1, 1, { timeline: 5 })], { written: { 5: 0 } })).toBeUndefined();
  const other = base('b', 1, 1);
  expect(doubt([base('a', 1, 1), { ...other, physical: { ...other.physical, segmentSize: 1 } }])).toBe(
    'SegmentSizesDiffer',
  );
});

test('weeks are those of ISO 8601', () => {
  const name = periodNames('Etc/UTC');
  expect(name(new Date('2027-01-03T12:00:00Z'), 'Week')).toBe('2026-W53');
  expect(name(new Date('2024-12-30T12:00:00Z'), 'Week')).toBe('2025-W01');
  expect(name(new Date('2026-11-21T12:00:00Z'), 'Month')).toBe('2026-11');
});

test('a month and a year are never shorter than the calendar’s', () => {
  expect(durationOf('1m')).toBe(31 * 86_400_000);
  expect(durationOf('1y')).toBe(366 * 86_400_000);
  expect(() => durationOf('0d')).toThrow(RangeError);
});

test('the calendar is the policy’s, or that of the method’s first schedule', () => {
  const schedule = (method: 'Logical' | 'Physical', timeZone: string) => ({
    name: timeZone,
    cron: '0 0 * * *',
    timeZone,
    method,
    type: 'Full' as const,
  });
  const schedules = [schedule('Logical', 'Asia/Tokyo'), schedule('Physical', 'Europe/Paris')];
  expect(timeZonesOf({ retention: undefined, schedules })).toEqual({ Logical: 'Asia/Tokyo', Physical: 'Europe/Paris' });
  expect(timeZonesOf({ retention: undefined, schedules: [] })).toEqual({ Logical: 'Etc/UTC', Physical: 'Etc/UTC' });
  const retention = retentionSchema.parse({ timeZone: 'America/Lima' });
  expect(timeZonesOf({ retention, schedules }).Physical).toBe('America/Lima');
});
