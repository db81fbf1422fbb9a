import { describe, expect, test } from 'vitest';
import { backupRunStatus } from '../../../../src/api/backup-run.ts';
import type { BackupRun, PitrRecovery, RestoreRequest } from '../../../../src/api/kinds.ts';
import { pitrRecoverySpec } from '../../../../src/api/pitr-recovery.ts';
import { restoreRequestSpec } from '../../../../src/api/restore-request.ts';
import { verificationStatus } from '../../../../src/api/verification.ts';
import {
  decideVerification,
  type GatheredVerification,
  type Trial,
} from '../../../../src/controllers/verification/decide.ts';
import { policy, recovery, restore, run } from '../objects.ts';

const now = new Date('2026-03-10T05:00:30Z');
const due = '2026-03-10T05:00:00Z';
const cron = '0 5 * * *';
const stands = { schedule: `${cron} Etc/UTC`, since: '2026-03-01T00:00:00Z' };

const physicalPolicy = (status: object = {}, spec: object = {}) =>
  policy({
    spec: {
      schedules: [{ name: 'base', cron: '0 1 * * *', method: 'Physical' }],
      walArchiving: { mode: 'Stream' },
      verification: { cron, assertions: [{ database: 'shop', query: 'select 1', expect: '1' }] },
      ...spec,
    },
    status: { verification: { ...stands, last: [last('2026-03-09T05:00:00Z')] }, ...status },
  });

function last(time: string, more: object = {}) {
  return {
    method: 'Physical',
    name: `v-${time}`,
    scheduledTime: time,
    startTime: time,
    time,
    outcome: 'Good',
    ...more,
  };
}

function backup(day: number, { status = {}, spec = {} }: { readonly status?: object; readonly spec?: object } = {}) {
  return run({
    name: `base-${day}`,
    spec: { method: 'Physical', ...spec },
    status: {
      phase: 'Completed',
      backupID: `202603${String(day).padStart(2, '0')}T010000Z-physical-full`,
      startTime: `2026-03-${String(day).padStart(2, '0')}T01:00:00Z`,
      completionTime: `2026-03-${String(day).padStart(2, '0')}T01:10:00Z`,
      ...status,
    },
  });
}

const condition = (status: string, reason = 'VerificationFailed') => [
  { type: 'Verified', status, reason, message: '', lastTransitionTime: '2026-03-01T00:00:00Z' },
];
const bad = { conditions: condition('False') };

function trial(status: object, scheduledTime = due, kind: 'recovery' | 'restore' = 'recovery'): Trial {
  const made = kind === 'recovery' ? recovery : restore;
  return made({
    name: `orders-verify-${Math.floor(Date.parse(scheduledTime) / 60_000)}`,
    metadata: {
      creationTimestamp: scheduledTime,
      labels: { 'tidemark.dev/verification': 'orders' },
      annotations: { 'tidemark.dev/scheduled-time': scheduledTime },
    },
    spec: { target: { ephemeral: {} } },
    status: { ...status },
  });
}

const ended = (phase: string, reason: string, more: object = {}) => ({
  phase,
  completionTime: '2026-03-10T05:00:19Z',
  plan: { backupID: '20260310T010000Z-physical-full' },
  conditions: [{ type: 'Succeeded', status: 'False', reason, message: 'table t is damaged', lastTransitionTime: due }],
  ...more,
});

const gathered = (change: Partial<GatheredVerification> = {}): GatheredVerification => ({
  policy: physicalPolicy(),
  runs: [backup(9), backup(10)],
  trials: [],
  drills: [],
  random: () => 0.5,
  now,
  ...change,
});
const decide = (change: Partial<GatheredVerification> = {}) => decideVerification(gathered(change));
const specOf = (change: Partial<GatheredVerification>) => decide(change).create?.['spec'];

describe('a verification', () => {
  test('restores the newest base on to the end of the archive, and asks all that the policy asks', () => {
    const { create } = decide();
    expect(create).toMatchObject({
      kind: 'PitrRecovery',
      metadata: {
        name: 'orders-verify-29551980',
        labels: { 'tidemark.dev/verification': 'orders' },
        annotations: { 'tidemark.dev/scheduled-time': due },
        ownerReferences: [{ kind: 'BackupPolicy', name: 'orders', controller: true }],
      },
      spec: {
        source: { policyRef: { name: 'orders' } },
        recoveryTarget: { backupID: '20260310T010000Z-physical-full' },
        target: { ephemeral: {} },
        checks: { verifyBackup: true, dataChecksums: true, amcheck: true, dump: true },
        assertions: [{ database: 'shop' }],
      },
    });
    expect(() => pitrRecoverySpec.parse(create?.['spec'])).not.toThrow();
  });

  test('ends at the backup where no WAL is archived', () => {
    const spec = { walArchiving: { mode: 'None' }, physical: { walMethod: 'Fetch' } };
    expect(specOf({ policy: physicalPolicy({}, spec) })).toMatchObject({
      recoveryTarget: { backupID: '20260310T010000Z-physical-full', targetImmediate: true },
    });
  });

  test('goes to a random instant of the window, its gaps left out', () => {
    const verification = { cron, target: 'RandomPoint' };
    const restorable = { earliestTime: '2026-03-09T01:10:00Z', latestTime: '2026-03-10T05:00:00Z', gaps: [] };
    const random = physicalPolicy({ restorable }, { verification });
    const [first, middle, latest] = [0, 0.5, 0.9999999].map(
      (fraction) =>
        (specOf({ policy: random, random: () => fraction }) as { readonly recoveryTarget: { targetTime: string } })
          .recoveryTarget.targetTime,
    );
    expect([first, middle, latest]).toEqual(['2026-03-09T01:10:00Z', '2026-03-09T15:05:00Z', '2026-03-10T04:59:59Z']);
    expect(specOf({ policy: physicalPolicy({}, { verification }) })).toMatchObject({
      recoveryTarget: { targetImmediate: true },
    });
  });

  test('passes over a backup that has failed before, as long as there is another', () => {
    expect(specOf({ runs: [backup(9), backup(10, { status: bad })] })).toMatchObject({
      recoveryTarget: { backupID: '20260309T010000Z-physical-full' },
    });
    expect(specOf({ runs: [backup(10, { status: bad })] })).toMatchObject({
      recoveryTarget: { backupID: '20260310T010000Z-physical-full' },
    });
  });

  test('of a logical backup is a restore of everything into a server of its own', () => {
    const logical = policy({ spec: { verification: { cron } }, status: { verification: stands } });
    const { create } = decide({
      policy: logical,
      runs: [backup(10, { spec: { method: 'Logical' } })],
    });
    expect(create).toMatchObject({
      kind: 'RestoreRequest',
      spec: { source: { backupRunRef: { name: 'base-10' } }, target: { ephemeral: {} }, globals: 'Restore' },
    });
    expect(() => restoreRequestSpec.parse(create?.['spec'])).not.toThrow();
  });

  test('of both methods comes one after the other', () => {
    const schedules = [
      { name: 'base', cron: '0 1 * * *', method: 'Physical' },
      { name: 'dump', cron: '0 2 * * *', method: 'Logical' },
    ];
    const both = physicalPolicy({}, { schedules });
    const runs = [
      backup(10),
      run({ name: 'dump', status: { phase: 'Completed', backupID: '20260310T020000Z-logical' } }),
    ];
    expect(decide({ policy: both, runs }).create?.kind).toBe('PitrRecovery');
    expect(decide({ policy: both, runs, trials: [trial({ phase: 'Checking' })] }).create).toBeUndefined();
    const next = decide({ policy: both, runs, trials: [trial(ended('Completed', 'TargetReached'))] });
    expect(next.create?.kind).toBe('RestoreRequest');
  });

  test.each<[string, Partial<GatheredVerification>]>([
    ['while one runs', { trials: [trial({ phase: 'RestoringBase' }, '2026-03-10T04:00:00Z')] }],
    ['twice for one time', { trials: [trial(ended('Failed', 'Unschedulable'))] }],
    ['before its time', { now: new Date('2026-03-10T04:59:59Z') }],
    ['of a suspended policy', { policy: physicalPolicy({}, { suspend: true }) }],
    ['without a backup', { runs: [] }],
    ['for what was before its schedule stood', { policy: physicalPolicy({ verification: undefined }) }],
    [
      'for what was before its schedule changed',
      { policy: physicalPolicy({ verification: { ...stands, schedule: '0 4 * * * Etc/UTC' } }) },
    ],
  ])('is not started %s', (_, change) => {
    expect(decide(change).create).toBeUndefined();
  });

  test('is not made up after a suspension', () => {
    const suspended = decide({ policy: physicalPolicy({}, { suspend: true }) }).status;
    expect(suspended).not.toHaveProperty('since');
    const resumed = decide({ policy: physicalPolicy({ verification: suspended }) });
    expect(resumed.create).toBeUndefined();
    expect(resumed.status?.since).toBe('2026-03-10T05:00:30Z');
  });

  test('says what it cannot read in its schedule', () => {
    const verification = { cron: '0 5 30 2 *' };
    expect(decide({ policy: physicalPolicy({}, { verification }) }).conditions).toMatchObject([
      { type: 'Verified', status: 'Unknown', reason: 'InvalidSchedule' },
    ]);
  });
});

describe('what it found', () => {
  test('good: stands in the run, the condition, the status and an Event', () => {
    const decision = decide({ trials: [trial(ended('Completed', 'TargetReached', { measured: { rtoSeconds: 19 } }))] });
    expect(decision.marks).toMatchObject([
      {
        run: { metadata: { name: 'base-10' } },
        verified: { time: '2026-03-10T05:00:19Z', restoreSeconds: 19, by: 'orders-verify-29551980' },
        conditions: [{ type: 'Verified', status: 'True' }],
      },
    ]);
    expect(decision.conditions).toMatchObject([{ type: 'Verified', status: 'True', reason: 'Verified' }]);
    expect(decision.status).toMatchObject({ lastTime: '2026-03-10T05:00:19Z', nextTime: '2026-03-11T05:00:00Z' });
    expect(() => verificationStatus.parse(decision.status)).not.toThrow();
    expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'VerificationPassed' }]);
    expect(decision.backup).toBeUndefined();
  });

  test('bad: marks the backup, says what is damaged, and wants a new full one', () => {
    const trials = [trial(ended('Failed', 'VerificationFailed'))];
    const decision = decide({ trials });
    expect(decision.marks).toMatchObject([
      { verified: undefined, conditions: [{ type: 'Verified', status: 'False' }] },
    ]);
    expect(() => backupRunStatus.parse({ ...decision.marks[0], run: undefined })).not.toThrow();
    expect(decision.conditions).toMatchObject([{ status: 'False', reason: 'VerificationFailed' }]);
    expect(decision.conditions[0]?.message).toMatch(
      /20260310T010000Z-physical-full was found bad .*table t is damaged/,
    );
    expect(decision.events).toMatchObject([{ type: 'Warning', reason: 'VerificationFailed' }]);
    expect(decision.backup).toMatchObject({ name: 'orders-verify-physical-29551980', method: 'Physical' });
  });

  test('something else: marks nothing, and says so', () => {
    const decision = decide({ trials: [trial(ended('Failed', 'Unschedulable'))] });
    expect(decision.marks).toEqual([]);
    expect(decision.conditions).toMatchObject([{ status: 'Unknown', reason: 'Unschedulable' }]);
    expect(decision.conditions[0]?.message).toMatch(/says nothing of it/);
    expect(decision.backup).toBeUndefined();
  });

  test('is told once', () => {
    const trials = [trial(ended('Failed', 'VerificationFailed'))];
    const before = decide({ trials });
    const [mark] = before.marks;
    const runs = [backup(9), backup(10, { status: { verified: mark?.verified, conditions: mark?.conditions } })];
    const after = decide({ trials, runs, policy: physicalPolicy({ verification: before.status }) });
    expect(after.marks).toEqual([]);
    expect(after.events).toEqual([]);
    expect(after.status).toEqual(before.status);
  });

  test('of a run that is known to be bad since is not taken back by an older verification', () => {
    const trials = [trial(ended('Completed', 'TargetReached'))];
    const since = [{ ...condition('False')[0], lastTransitionTime: '2026-03-10T05:00:25Z' }];
    expect(decide({ trials, runs: [backup(10, { status: { conditions: since } })] }).marks).toEqual([]);
    expect(decide({ trials, runs: [backup(10, { status: bad })] }).marks).toHaveLength(1);
  });

  test('stays told when its object is gone; one that went before it ended was none', () => {
    const before = decide({ trials: [trial(ended('Failed', 'VerificationFailed'))] });
    const gone = decide({ policy: physicalPolicy({ verification: before.status }) });
    expect(gone.conditions).toMatchObject([{ status: 'False', reason: 'VerificationFailed' }]);
    const fresh = physicalPolicy({ verification: stands });
    const open = decide({ policy: fresh, trials: [trial({ phase: 'Checking' })] });
    expect(open.conditions).toMatchObject([{ status: 'Unknown', reason: 'Verifying' }]);
    const lost = decide({ policy: physicalPolicy({ verification: open.status }) });
    expect(lost.conditions).toMatchObject([{ status: 'Unknown', reason: 'VerificationGone' }]);
  });

  test('holds while the next one runs', () => {
    const decision = decide({ trials: [trial({ phase: 'Checking' })] });
    expect(decision.conditions).toMatchObject([{ status: 'True', reason: 'Verified' }]);
    expect(decision.status?.last).toMatchObject([{ outcome: 'Good', scheduledTime: '2026-03-09T05:00:00Z' }]);
  });

  test('replaced once: not while a backup runs, not after one that completed, again after one that failed', () => {
    const trials = [trial(ended('Failed', 'VerificationFailed'))];
    const later = (status: object, name: string): BackupRun => ({
      ...backup(10, { status }),
      metadata: run({ name }).metadata,
    });
    const running = later({ phase: 'Running', completionTime: undefined }, 'orders-verify-physical-29551980');
    expect(decide({ trials, runs: [backup(10), running] }).backup).toBeUndefined();
    const done = later({ startTime: '2026-03-10T05:01:00Z' }, 'new');
    expect(decide({ trials, runs: [backup(10), done] }).backup).toBeUndefined();
    const failed = later(
      { phase: 'Failed', startTime: '2026-03-10T05:01:00Z', completionTime: '2026-03-10T05:02:00Z' },
      'orders-verify-physical-29551980',
    );
    const runs = [backup(10), failed];
    expect(decide({ trials, runs, now: new Date('2026-03-10T05:05:00Z') }).backup).toBeUndefined();
    expect(decide({ trials, runs, now: new Date('2026-03-10T05:13:00Z') }).backup).toMatchObject({
      name: 'orders-verify-physical-29551980-2',
    });
  });

  test('is kept for ten of each kind', () => {
    const many = (kind: 'recovery' | 'restore'): readonly (PitrRecovery | RestoreRequest)[] =>
      Array.from({ length: 12 }, (_, hour) =>
        trial(ended('Completed', 'Done'), `2026-03-09T${String(hour).padStart(2, '0')}:00:00Z`, kind),
      );
    const { remove } = decide({ trials: [...many('recovery'), ...many('restore')] });
    expect(remove.map(({ kind, metadata }) => `${kind} ${metadata.creationTimestamp.slice(11, 13)}`)).toEqual([
      'PitrRecovery 01',
      'PitrRecovery 00',
      'RestoreRequest 01',
      'RestoreRequest 00',
    ]);
  });
});
