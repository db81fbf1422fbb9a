import { describe, expect, test } from 'vitest';
import type { PitrRecovery } from '../../../../src/api/kinds.ts';
import { drillHistory, isDrillOf } from '../../../../src/domain/verification/drill-history.ts';
import { isPartial, verdictOf } from '../../../../src/domain/verification/verdict.ts';
import { policy, recovery, restore, run } from '../../controllers/objects.ts';

const scheduled = '2026-03-10T05:00:00Z';
const ended = (phase: string, reason: string, more: object = {}) => ({
  phase,
  completionTime: '2026-03-10T05:01:00Z',
  conditions: [{ type: 'Succeeded', status: 'False', reason, message: 'because', lastTransitionTime: scheduled }],
  plan: { backupID: '20260310T040000Z-physical-full' },
  ...more,
});
const runs = [run({ name: 'base', status: { backupID: '20260310T040000Z-physical-full' } })];

describe('what a verification says', () => {
  test.each([
    ['Completed', 'TargetReached', 'Good'],
    ['Failed', 'VerificationFailed', 'Bad'],
    ['Failed', 'AssertionFailed', 'Bad'],
    ['Failed', 'CorruptedBackup', 'Bad'],
    // A node, a quota, an image, a store: none of them is the backup.
    ['Failed', 'Unschedulable', 'Unknown'],
    ['Failed', 'ImageUnknown', 'Unknown'],
    ['Failed', 'DeadlineExceeded', 'Unknown'],
    ['Failed', 'OutOfMemory', 'Unknown'],
    ['Failed', 'StoreUnreachable', 'Unknown'],
    ['Failed', 'ServerLost', 'Unknown'],
    ['Failed', 'SomethingNew', 'Unknown'],
    ['Cancelled', 'Cancelled', 'Unknown'],
  ])('%s for %s: %s', (phase, reason, outcome) => {
    const trial = recovery({ status: ended(phase, reason, { measured: { rtoSeconds: 19 } }) });
    expect(verdictOf(trial, scheduled, runs)).toMatchObject({
      method: 'Physical',
      outcome,
      reason,
      run: 'base',
      backupID: '20260310T040000Z-physical-full',
      restoreSeconds: 19,
      time: '2026-03-10T05:01:00Z',
    });
  });

  test('of a dump of parts, that it lacks what it stands on is no fault of it', () => {
    const trial = restore({ status: ended('Failed', 'MissingDependency', { backupID: 'x' }) });
    expect(verdictOf(trial, scheduled, runs)).toMatchObject({ outcome: 'Bad' });
    expect(verdictOf(trial, scheduled, runs, true)).toMatchObject({ outcome: 'Unknown' });
    const damaged = restore({ status: ended('Failed', 'CorruptedBackup', { backupID: 'x' }) });
    expect(verdictOf(damaged, scheduled, runs, true)).toMatchObject({ outcome: 'Bad' });
    expect(isPartial(policy())).toBe(false);
    expect(isPartial(policy({ spec: { logical: { tables: { include: ['orders'] } } } }))).toBe(true);
    expect(isPartial(policy({ spec: { logical: { content: 'DataOnly' } } }))).toBe(true);
  });

  test('nothing while it runs', () => {
    expect(verdictOf(recovery({ status: { phase: 'Checking' } }), scheduled, runs)).not.toHaveProperty('outcome');
  });

  test('of a logical backup, how long its restore took', () => {
    const trial = restore({ status: ended('Completed', 'Restored', { restoreSeconds: 7, backupID: 'x' }) });
    expect(verdictOf(trial, scheduled, runs)).toMatchObject({ method: 'Logical', outcome: 'Good', restoreSeconds: 7 });
  });
});

describe('the history of drills', () => {
  const drill = (name: string, change: { spec?: object; labels?: object; status?: object } = {}): PitrRecovery =>
    recovery({
      name,
      metadata: { labels: change.labels ?? {} },
      spec: { target: { ephemeral: {} }, recoveryTarget: {}, ...change.spec },
      status: ended('Completed', 'TargetReached', {
        measured: { rtoSeconds: 41, rpoSeconds: 0 },
        completionTime: `2026-03-10T05:00:${name.padStart(2, '0')}Z`,
        ...change.status,
      }),
    });

  test('holds what was measured, the newest first, twenty at most, also of objects that are gone', () => {
    const first = drillHistory(undefined, [drill('1'), drill('2')]);
    expect(first.map(({ name }) => name)).toEqual(['2', '1']);
    expect(first[0]).toMatchObject({ outcome: 'Completed', rtoSeconds: 41, rpoSeconds: 0, reason: 'TargetReached' });
    const many = Array.from({ length: 30 }, (_, index) => drill(String(index + 3)));
    const later = drillHistory(first, many);
    expect(later).toHaveLength(20);
    expect(later[0]?.name).toBe('32');
    expect(drillHistory(first, [])).toEqual(first);
    expect(drillHistory(first, [drill('2')])).toEqual(first);
  });

  test('says nothing of what a failed one measured', () => {
    const failed = drill('1', { status: { phase: 'Failed' } });
    expect(drillHistory([], [failed])[0]).toMatchObject({ outcome: 'Failed' });
    expect(drillHistory([], [failed])[0]).not.toHaveProperty('rtoSeconds');
  });

  test('is of those that nobody needed but to know, from the repository alone too', () => {
    const repository = { repositoryRef: { name: 'store' }, policy: 'orders', namespace: 'shop' };
    const into = { host: 'db.example', credentialsSecretRef: { name: 'db' } };
    expect(isDrillOf(policy(), drill('1'))).toBe(true);
    expect(isDrillOf(policy(), drill('1', { spec: { source: { repository } } }))).toBe(true);
    expect(isDrillOf(policy({ name: 'other' }), drill('1'))).toBe(false);
    expect(isDrillOf(policy(), drill('1', { spec: { dryRun: true } }))).toBe(false);
    expect(isDrillOf(policy(), drill('1', { spec: { extract: { databases: [{ name: 'a' }], into } } }))).toBe(false);
    expect(isDrillOf(policy(), drill('1', { labels: { 'tidemark.dev/verification': 'orders' } }))).toBe(false);
  });
});
