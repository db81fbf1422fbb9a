import { describe, expect, test } from 'vitest';
import { isOrphan, type RunState } from '../../../src/domain/orphan.ts';
import type { Started } from '../../../src/domain/started.ts';

const started: Started = {
  format: 1,
  backupID: '20261121T030000Z-logical',
  run: 'nightly-1',
  runUID: 'uid-1',
  jobName: 'nightly-1',
  pod: 'nightly-1-aaaaa',
  startTime: '2026-11-21T03:00:00.000Z',
  deadlineSeconds: 3600,
};
const beforeDeadline = new Date('2026-11-21T03:30:00Z');
const inGrace = new Date('2026-11-21T04:59:59Z');
const afterGrace = new Date('2026-11-21T05:00:01Z');
const newestObject = new Date('2026-11-21T03:10:00Z');

describe('by what became of the run', () => {
  test.each([
    ['terminal', beforeDeadline, true],
    ['active', beforeDeadline, false],
    ['active', afterGrace, false],
    ['missing', beforeDeadline, false],
    ['missing', inGrace, false],
    ['missing', afterGrace, true],
    ['unknown', inGrace, false],
    ['unknown', afterGrace, true],
  ] as const)('%s at %s: %s', (runState: RunState, now, orphan) => {
    expect(isOrphan({ started, newestObject }, { now, runState })).toBe(orphan);
  });
});

describe('by who asks', () => {
  const asks = (jobName: string, pod: string) =>
    isOrphan({ started, newestObject }, { now: beforeDeadline, runState: 'active', self: { jobName, pod } });

  test('an earlier attempt of the same Job is dead', () => {
    expect(asks('nightly-1', 'nightly-1-bbbbb')).toBe(true);
  });
  test('nobody sweeps himself', () => {
    expect(asks('nightly-1', 'nightly-1-aaaaa')).toBe(false);
    const self = { jobName: 'nightly-1', pod: 'nightly-1-aaaaa' };
    expect(isOrphan({ started, newestObject }, { now: afterGrace, runState: 'terminal', self })).toBe(false);
  });
  test('another Job leaves a living run alone', () => {
    expect(asks('nightly-2', 'nightly-2-aaaaa')).toBe(false);
  });
});

describe('without a record', () => {
  const days = (count: number) => new Date(newestObject.getTime() + count * 24 * 60 * 60 * 1000);
  const asked = (newest: Date | undefined, now: Date) =>
    isOrphan({ started: undefined, newestObject: newest }, { now, runState: 'unknown' });

  test('only what nobody has written to for seven days is an orphan', () => {
    expect(asked(newestObject, days(6.9))).toBe(false);
    expect(asked(newestObject, days(7.1))).toBe(true);
    expect(asked(undefined, days(100))).toBe(false);
  });
});
