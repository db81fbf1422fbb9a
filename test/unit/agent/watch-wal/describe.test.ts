import { describe, expect, test } from 'vitest';
import { describeOutage, describeWal, type Observed, reportOf } from '../../../../src/agent/watch-wal/describe.ts';
import { terminal, transient } from '../../../../src/domain/failure.ts';

const now = new Date('2026-03-10T12:00:00.000Z');
const failed = { name: '000000010000000000000003', time: now };
const mode: Observed['mode'] = {
  kind: 'Archive',
  setting: { state: 'Set' },
  archiver: { lastArchived: undefined, lastFailed: undefined, pending: 0 },
};
const observed: Observed = {
  systemIdentifier: '7312',
  position: { timeline: 1, current: 0x5000000n, segmentSize: 16_777_216 },
  archives: [],
  lastCommit: undefined,
  gaps: [],
  lagSeconds: undefined,
  mode,
  refusal: undefined,
  trouble: undefined,
};

describe('a report says whether it passes by itself', () => {
  test('a failure that must be mended, and one that need not be', () => {
    const mend = reportOf(terminal('OtherServer', 'It is another.'), now);
    expect(mend).toEqual({
      healthy: false,
      reason: 'OtherServer',
      message: 'It is another.',
      time: now.toISOString(),
      stalled: true,
    });
    expect(reportOf(transient('StoreUnreachable', 'It is down.'), now)).not.toHaveProperty('stalled');
  });

  test('WAL that the archive refuses, and WAL that the server could not bring', () => {
    const refusal = { reason: 'WalConflict', message: 'Two servers write here.' };
    expect(describeWal({ ...observed, refusal }, now).report).toMatchObject({ ...refusal, stalled: true });
    const archiver = { lastArchived: undefined, lastFailed: failed, pending: 1 };
    const { report } = describeWal({ ...observed, mode: { ...mode, archiver } }, now);
    expect(report).toMatchObject({ healthy: false, reason: 'ArchiveCommandFailed' });
    expect(report).not.toHaveProperty('stalled');
    expect(describeWal(observed, now).report).toMatchObject({ healthy: true, reason: 'Archiving' });
  });
});

test('a segment that the server cannot archive is told also where its clock was ahead when it could', () => {
  const later = new Date(now.getTime() + 86_400_000);
  const told = (lastArchived: string) => {
    const archiver = { lastArchived: { name: lastArchived, time: later }, lastFailed: failed, pending: 1 };
    return describeWal({ ...observed, mode: { ...mode, archiver } }, now).report?.reason;
  };
  expect(told('000000010000000000000002')).toBe('ArchiveCommandFailed');
  expect(told('000000010000000000000003')).toBe('Archiving');
  expect(told('00000002.history')).toBe('Archiving');
});

test('settings are said of the server in which they were seen, at the time of the report', () => {
  const { setting, report } = describeWal(observed, now);
  expect(setting).toEqual({ state: 'Set', systemIdentifier: '7312', time: report?.time });
});

test('while the repository does not answer, what is known of the archive stays, and no settings are vouched for', () => {
  const before = describeWal(observed, new Date('2026-03-10T11:00:00Z'));
  const failure = transient('StoreUnreachable', 'It is down.');
  const told = describeOutage(before, mode, failure, 16_777_216, now);
  expect(told).toMatchObject({ systemIdentifier: '7312', report: { reason: 'StoreUnreachable' } });
  expect(told.setting).toEqual({ state: 'Set' });
});
