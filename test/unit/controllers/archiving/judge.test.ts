import { describe, expect, test } from 'vitest';
import type { WalStatus } from '../../../../src/api/backup-policy.ts';
import {
  continuousArchiving,
  dueBackup,
  type Judged,
  restorableOf,
  stalledArchiving,
} from '../../../../src/controllers/archiving/judge.ts';
import { missing, refused } from '../../../../src/controllers/refusal.ts';
import { now } from '../objects.ts';
import { archiving, base, wal } from './things.ts';

const time = '2026-03-10T11:59:00Z';

describe('ContinuousArchiving is', () => {
  const judge = (change: Partial<Judged>) =>
    continuousArchiving({ policy: archiving(), wal: wal(), rollout: undefined, refusal: undefined, now, ...change });
  const ill = { healthy: false, reason: 'AuthenticationFailed', message: 'The login is wrong', time };
  const rolling = { state: 'UnderWay', reason: 'Restarting', message: 'restarting' } as const;
  const waiting = { state: 'Waiting', reason: 'RestartNeeded', message: 'delete the pod' } as const;
  const setting = { state: 'RestartNeeded', message: 'archive_mode is written' } as const;
  const stream = archiving({ mode: 'Stream' });
  const connecting = { healthy: false, reason: 'Connecting', message: 'connecting', time };

  test.each<[string, Partial<Judged>, string, string]>([
    ['well while the archive follows', {}, 'True', 'Archiving'],
    ['well in mode Stream', { policy: stream }, 'True', 'Archiving'],
    ['well though a replica is not ready for reasons of its own', { rollout: rolling }, 'True', 'Archiving'],
    ['off while suspended', { policy: archiving({ spec: { suspend: true } }) }, 'False', 'Suspended'],
    ['what stands in the way', { refusal: refused('TargetNotFound', 'no') }, 'False', 'TargetNotFound'],
    ['what is waited for when it is taken back', { awaited: 'the server' }, 'False', 'TakingBack'],
    ['unknown before the watcher speaks', { wal: undefined }, 'Unknown', 'Starting'],
    ['unknown after its silence', { now: new Date('2026-03-10T12:05:00Z') }, 'Unknown', 'WatcherSilent'],
    ['unknown while the server is set up', { wal: wal({ setting, report: ill }) }, 'Unknown', 'SettingUp'],
    ['unknown while pods restart', { wal: wal({ setting, report: ill }), rollout: rolling }, 'Unknown', 'Restarting'],
    ['a person’s turn', { wal: wal({ setting, report: ill }), rollout: waiting }, 'Unknown', 'RestartNeeded'],
    ['unknown while the receiver connects', { policy: stream, wal: { report: connecting } }, 'Unknown', 'Connecting'],
    [
      'unknown before the first segment',
      { wal: { setting: { state: 'Set' }, report: wal().report } },
      'Unknown',
      'NothingArchivedYet',
    ],
    ['what the watcher met', { wal: wal({ report: ill }) }, 'False', 'AuthenticationFailed'],
    ['what the watcher met at its first look', { wal: { report: ill } }, 'False', 'AuthenticationFailed'],
    [
      'not known after a silence, though what was said last was bad',
      { wal: wal({ report: ill }), now: new Date('2026-03-10T12:05:00Z') },
      'Unknown',
      'WatcherSilent',
    ],
    ['heard still after just five minutes', { now: new Date('2026-03-10T12:04:00Z') }, 'True', 'Archiving'],
    ['behind', { wal: wal({ lagSeconds: 301 }) }, 'False', 'FallingBehind'],
    [
      'refused by the server',
      { wal: wal({ setting: { state: 'Refused', reason: 'ForeignArchiver', message: 'another' } }) },
      'False',
      'ForeignArchiver',
    ],
  ])('%s', (_, change, status, reason) => {
    expect(judge(change)).toMatchObject({ type: 'ContinuousArchiving', status, reason });
  });

  test('told with numbers', () => {
    const late = wal({ lagSeconds: 400, lagBytes: '52428800', pendingSegments: 3 });
    expect(judge({ wal: late }).message).toBe('The archive is 400 s and 50.0 MiB behind the server, 3 segments wait');
    expect(judge({ wal: wal({ pendingSegments: 1 }) }).message).toBe(
      'Up to 000000010000000000000007, 12 s behind the server, 1 segment waits',
    );
    const { lagBytes: _, ...unmeasured } = wal({ lagSeconds: 400 });
    expect(judge({ wal: unmeasured }).message).toBe(
      'The archive is 400 s and an unknown number of bytes behind the server',
    );
    const two = [1, 2].map((timeline) => ({ timeline, fromWal: 'a', toWal: 'b' }));
    expect(judge({ wal: wal({ gaps: two }) }).message).toContain('; WAL is missing from a to b and 1 gap before (');
    const holes = wal({ gaps: [{ timeline: 1, fromWal: 'a', toWal: 'b' }] });
    expect(judge({ wal: holes }).message).toBe(
      'Up to 000000010000000000000007, 12 s behind the server; WAL is missing from a to b (status.restorable.gaps)',
    );
  });

  test('behind only after three of the times that a segment may stay open', () => {
    const slow = archiving({ spec: { walArchiving: { mode: 'Archive', archiveTimeoutSeconds: 600 } } });
    expect(judge({ policy: slow, wal: wal({ lagSeconds: 1800 }) }).status).toBe('True');
    expect(judge({ policy: slow, wal: wal({ lagSeconds: 1801 }) }).status).toBe('False');
  });
});

describe('an archive is stalled', () => {
  const stalled = (change: Partial<Judged>) => {
    const judged = { policy: archiving(), wal: wal(), rollout: undefined, refusal: undefined, now, ...change };
    return stalledArchiving(judged, continuousArchiving(judged));
  };
  const report = { healthy: false, reason: 'WalConflict', message: 'Two servers write here', time, stalled: true };
  const passing = { ...report, reason: 'ArchiveCommandFailed', stalled: false };
  const waiting = { state: 'Waiting', reason: 'RestartNeeded', message: 'delete the pod' } as const;
  const refusing = wal({ setting: { state: 'Refused', reason: 'ForeignArchiver', message: 'another' } });
  const suspended = archiving({ spec: { suspend: true } });
  const late = new Date('2026-03-10T12:05:00Z');

  test.each<[string, Partial<Judged>, string]>([
    ['what the watcher met does not pass by itself', { wal: wal({ report }) }, 'WalConflict'],
    ['it met that at its first look', { wal: { report } }, 'WalConflict'],
    ['the server refuses', { wal: refusing }, 'ForeignArchiver'],
    ['what stands in the way does not come', { refusal: refused('PodCannotChange', 'no') }, 'PodCannotChange'],
    ['the pods wait for a person', { rollout: waiting }, 'RestartNeeded'],
    ['the server refuses to give back', { wal: refusing, awaited: 'the server' }, 'TakingBack'],
  ])('while %s', (_, change, reason) => {
    expect(stalled(change)).toMatchObject([{ type: 'Stalled', status: 'True', reason }]);
  });

  test.each<[string, Partial<Judged>]>([
    ['all is well', {}],
    ['it may pass', { wal: wal({ report: passing }) }],
    ['what is missing may come', { refusal: missing('TargetNotFound', 'no') }],
    ['a person has suspended it', { policy: suspended, wal: wal({ report }) }],
    ['it is not known how things are', { wal: wal({ report }), now: late }],
    ['it is being taken back', { awaited: 'the server' }],
  ])('not while %s', (_, change) => {
    expect(stalled(change)).toEqual([]);
  });
});

describe('what can be restored', () => {
  test('is nothing without a base backup', () => {
    expect(restorableOf([], wal())).toBeUndefined();
    expect(restorableOf([base({ phase: 'Failed' }), base({ of: 'another' })], wal())).toBeUndefined();
  });

  test('goes from the end of the oldest base backup to the last archived commit', () => {
    const runs = [base({ at: '2026-03-10T03:00:00Z' }), base({ at: '2026-03-09T03:00:00Z' })];
    expect(restorableOf(runs, wal())).toEqual({
      earliestTime: '2026-03-09T03:00:00Z',
      latestTime: '2026-03-10T11:58:58Z',
      gaps: [],
    });
  });

  test('has no end while nothing was committed since the first backup', () => {
    expect(restorableOf([base({ at: '2026-03-10T11:59:00Z' })], wal())).toEqual({
      earliestTime: '2026-03-10T11:59:00Z',
      gaps: [],
    });
  });

  test('ends with a commit in the second in which the backup ended: the watcher tells milliseconds, a Job does not', () => {
    const lastCommitTime = '2026-03-10T03:00:00.500Z';
    expect(restorableOf([base()], wal({ lastCommitTime }))).toMatchObject({ latestTime: lastCommitTime });
  });

  test('is known still when the watcher cannot look at its server, or is gone', () => {
    const gap = { timeline: 1, fromWal: 'a', toWal: 'b' };
    const before = { earliestTime: 'x', latestTime: '2026-03-10T11:00:00Z', gaps: [gap] };
    const after = { earliestTime: '2026-03-10T03:00:00Z', latestTime: '2026-03-10T11:00:00Z', gaps: [gap] };
    const unreachable: WalStatus = { report: { healthy: false, reason: 'ServerUnreachable', message: 'no', time } };
    expect(restorableOf([base()], unreachable, before)).toEqual(after);
    expect(restorableOf([base()], undefined, before)).toEqual(after);
    expect(restorableOf([base()], wal(), before)).toMatchObject({ latestTime: '2026-03-10T11:58:58Z', gaps: [] });
  });
});

describe('a base backup is due', () => {
  const gap = { timeline: 1, fromWal: '000000010000000000000004', toWal: '000000010000000000000005' };
  const due = (runs: Parameters<typeof dueBackup>[1], of: WalStatus | undefined, at = now) =>
    dueBackup(archiving(), runs, of, at);

  test('on a timeline that has none', () => {
    expect(due([base()], wal({ timeline: 2 }))?.name).toBe('orders-timeline-2');
    expect(due([base(), base({ name: 'b', timeline: 2 })], wal({ timeline: 2 }))).toBeUndefined();
  });

  test('after a gap', () => {
    expect(due([base()], wal({ gaps: [gap] }))?.name).toBe('orders-gap-000000010000000000000005');
    const later = base({ name: 'b', beginSegment: '000000010000000000000006' });
    expect(due([base(), later], wal({ gaps: [gap] }))).toBeUndefined();
    // Its first segment is one of those that are missing.
    const within = base({ name: 'b', beginSegment: gap.toWal });
    expect(due([base(), within], wal({ gaps: [gap] }))?.name).toBe('orders-gap-000000010000000000000005');
  });

  test('after the last of several gaps, whatever lies after those before', () => {
    const last = { timeline: 1, fromWal: '000000010000000000000009', toWal: '000000010000000000000009' };
    const between = base({ name: 'b', beginSegment: '000000010000000000000007' });
    const of = wal({ gaps: [gap, last] });
    expect(due([base(), between], of)).toMatchObject({
      name: 'orders-gap-000000010000000000000009',
      why: expect.stringContaining('from 000000010000000000000009 to'),
    });
    const after = base({ name: 'c', beginSegment: '00000001000000000000000A' });
    expect(due([base(), between, after], of)).toBeUndefined();
  });

  test('not for a gap that is known already: a base of a later timeline lies after it too', () => {
    const promoted = base({ name: 'b', timeline: 2, beginSegment: '000000020000000000000006' });
    expect(due([base(), promoted], wal({ timeline: 2, gaps: [gap] }))).toBeUndefined();
    const before = base({ name: 'b', timeline: 2, beginSegment: '000000020000000000000003' });
    expect(due([base(), before], wal({ timeline: 2, gaps: [gap] }))?.name).toBe('orders-gap-000000010000000000000005');
  });

  test('of a timeline before that of a gap: the one backup serves both', () => {
    expect(due([base()], wal({ timeline: 2, gaps: [gap] }))?.name).toBe('orders-timeline-2');
  });

  test('though a backup after the gap is not complete, or does not say where it begins', () => {
    const failed = base({ name: 'b', phase: 'Failed', beginSegment: '000000010000000000000006' });
    expect(due([base(), failed], wal({ gaps: [gap] }))?.name).toBe('orders-gap-000000010000000000000005');
    const silent = { ...base({ name: 'b' }), status: { ...base().status, wal: {} } } as ReturnType<typeof base>;
    expect(due([silent], wal({ gaps: [gap] }))?.name).toBe('orders-gap-000000010000000000000005');
  });

  test.each<[string, Parameters<typeof dueBackup>[1], WalStatus | undefined]>([
    ['nobody asked for physical backups', [], wal({ timeline: 2 })],
    ['one is under way', [base(), base({ name: 'b', phase: 'Running' })], wal({ timeline: 2 })],
    ['one waits', [base(), base({ name: 'b', phase: 'Pending' })], wal({ timeline: 2 })],
    ['the server was not looked at', [base()], undefined],
    ['all is well', [base()], wal()],
    ['all backups are of another server', [base({ of: 'another' })], wal({ timeline: 2, gaps: [gap] })],
  ])('not while %s', (_, runs, of) => {
    expect(due(runs, of)).toBeUndefined();
  });

  test('though another server’s backup is on that timeline', () => {
    const other = base({ name: 'b', of: 'another', timeline: 2 });
    expect(due([base(), other], wal({ timeline: 2 }))?.name).toBe('orders-timeline-2');
  });

  test('not of a suspended policy', () => {
    const suspended = archiving({ spec: { suspend: true } });
    expect(dueBackup(suspended, [base()], wal({ timeline: 2 }), now)).toBeUndefined();
  });

  test('again after one that failed: in ten minutes, then twice as long, under a name that is free', () => {
    const failed = (name: string, at: string) => base({ name, phase: 'Failed', at });
    const first = failed('orders-timeline-2', '2026-03-10T11:45:00Z');
    const of = wal({ timeline: 2 });
    expect(due([base(), first], of, new Date('2026-03-10T11:54:59Z'))).toBeUndefined();
    expect(due([base(), first], of, new Date('2026-03-10T11:55:00Z'))?.name).toBe('orders-timeline-2-2');
    const second = failed('orders-timeline-2-2', '2026-03-10T11:55:00Z');
    expect(due([base(), first, second], of, new Date('2026-03-10T12:14:59Z'))).toBeUndefined();
    expect(due([base(), first, second], of, new Date('2026-03-10T12:15:00Z'))?.name).toBe('orders-timeline-2-3');
    const third = failed('orders-timeline-2-3', '2026-03-09T00:00:00Z');
    expect(due([base(), third], of)?.name).toBe('orders-timeline-2-4');
  });

  test('under a name that a BackupRun may have, however long that of the policy is', () => {
    const long = archiving({ name: 'the-longest-name-that-a-policy-of-tidemark-may-have1' });
    for (const of of [wal({ timeline: 4_294_967_295 }), wal({ gaps: [gap] })]) {
      const failed = Array.from({ length: 12 }, () => 0);
      const name = dueBackup(long, [base()], of, now)?.name ?? '';
      expect(`${name}-${failed.length}`.length).toBeLessThanOrEqual(63);
      expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])$/);
    }
  });
});
