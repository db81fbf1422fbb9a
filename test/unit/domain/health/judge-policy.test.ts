import { describe, expect, test } from 'vitest';
import type { BackupRun } from '../../../../src/api/kinds.ts';
import { judgePolicy } from '../../../../src/domain/health/judge-policy.ts';
import { at, condition, now, type Parts, policy, run, soundConditions } from '../../../support/ui/objects.ts';

const daily = [run('orders-daily', 'orders', 10)];
const judged = (parts: Parts = {}, runs: readonly BackupRun[] = daily) => {
  const { level, findings } = judgePolicy(policy('orders', parts), runs, now);
  return [level, ...findings.map(({ level: own, reason }) => `${own} ${reason}`)];
};
const without = (...types: readonly string[]) => soundConditions.filter(({ type }) => !types.includes(type));
const saying = (type: string, status: 'False' | 'Unknown', reason: string, message = `${type} says ${reason}`) => ({
  status: { conditions: [...without(type), condition(type, status, reason, message)] },
});

test('a policy is sound where all that it asks for is known to be done, and a backup was brought back', () => {
  expect(judged()).toEqual(['sound']);
});

describe('what is not known is not sound', () => {
  test.each<[string, Parts, string]>([
    ['a policy that the operator has never seen', { status: { conditions: undefined } }, 'NotLookedAt'],
    ['a change that the operator has not seen', { status: { observedGeneration: 0 } }, 'NotLookedAt'],
    ['Ready, not said', { status: { conditions: without('Ready') } }, 'NotLookedAt'],
    ['Ready', saying('Ready', 'Unknown', 'RepositoryNotProbed'), 'RepositoryNotProbed'],
    ['LastBackupSucceeded', saying('LastBackupSucceeded', 'Unknown', 'NoBackupYet'), 'NoBackupYet'],
    ['LastBackupSucceeded, not said', { status: { conditions: without('LastBackupSucceeded') } }, 'NotLookedAt'],
    ['the archive', saying('ContinuousArchiving', 'Unknown', 'WatcherSilent'), 'WatcherSilent'],
    ['the archive, not said', { status: { conditions: without('ContinuousArchiving') } }, 'NotLookedAt'],
    ['a verification that came to nothing', saying('Verified', 'Unknown', 'NoNode'), 'NoNode'],
    ['the verification, not said', { status: { conditions: without('Verified') } }, 'NotLookedAt'],
    ['the window', { status: { restorable: undefined } }, 'NothingRestorable'],
    ['the window’s end', { status: { restorable: { earliestTime: at(300) } } }, 'NothingRestorable'],
    ['an operator that says no next time', { status: { nextScheduleTime: at(1) } }, 'OperatorSilent'],
  ])('%s', (_, parts, reason) => {
    expect(judged(parts)).toEqual(['unknown', `unknown ${reason}`]);
  });
});

describe('what fails is failing', () => {
  test.each<[string, Parts, string]>([
    ['Ready', saying('Ready', 'False', 'RepositoryNotReady'), 'RepositoryNotReady'],
    ['the last backup', saying('LastBackupSucceeded', 'False', 'SourceFailed'), 'SourceFailed'],
    ['the archive', saying('ContinuousArchiving', 'False', 'FallingBehind'), 'FallingBehind'],
    ['a verification', saying('Verified', 'False', 'DataCorrupted'), 'DataCorrupted'],
    [
      'a person must act',
      { status: { conditions: [...soundConditions, condition('Stalled', 'True', 'Refused')] } },
      'Refused',
    ],
    ['the last drill', { status: { drills: [drill('Failed', 1), drill('Completed', 9)] } }, 'DrillFailed'],
    [
      'a slot that is nearly lost',
      { status: { ...archived(), wal: { slot: { safeBytes: '1000' } } } },
      'SlotNearlyLost',
    ],
  ])('%s', (_, parts, reason) => {
    expect(judged(parts)).toEqual(['failing', `failing ${reason}`]);
  });

  test('a backup that should have been followed by another', () => {
    expect(judged({}, [run('old', 'orders', 29)])).toEqual(['failing', 'failing BackupOverdue']);
    expect(judged({}, [run('recent', 'orders', 27)])).toEqual(['sound']);
    expect(judged({}, [])).toEqual(['failing', 'failing BackupOverdue']);
    expect(judged({ created: at(2) }, [])).toEqual(['sound']);
  });

  test('a method whose last run failed, though the other method’s succeeded later', () => {
    const dump = run('dump', 'orders', 11, {
      spec: { method: 'Logical' },
      status: { phase: 'Failed', error: 'no room' },
    });
    expect(judged({}, [...daily, dump])).toEqual(['failing', 'failing Failed']);
    const again = run('dump-2', 'orders', 10.5, { spec: { method: 'Logical' } });
    expect(judged({}, [...daily, dump, again])).toEqual(['sound']);
  });
});

describe('what is worth a look is neither sound nor failing', () => {
  test.each<[string, Parts, string]>([
    ['retention', saying('RetentionApplied', 'False', 'RetentionJobFailed'), 'RetentionJobFailed'],
    ['a condition that this version does not know', saying('SomethingNew', 'False', 'Odd'), 'Odd'],
    ['objectives that a drill missed', { status: { drills: [drill('Completed', 1, false)] } }, 'ObjectivesMissed'],
    ['a gap after which no base began', gapEnding(5), 'WalGap'],
    ['a gap of which no time is known', gapEnding(undefined), 'WalGap'],
    [
      'verifications that do not come about',
      { status: { verification: { since: at(900), last: [] }, drills: [drill('Completed', 1)] } },
      'VerificationOverdue',
    ],
  ])('%s', (_, parts, reason) => {
    expect(judged(parts)).toEqual(['attention', `attention ${reason}`]);
  });

  test('a gap that a base backup lies behind is none any more', () => {
    expect(judged(gapEnding(12))).toEqual(['sound']);
  });
});

test('what a person has asked for is no fault: a suspension is one, a dry run of retention is nothing', () => {
  const conditions = [
    ...without('ContinuousArchiving', 'RetentionApplied'),
    condition('ContinuousArchiving', 'False', 'Suspended', 'not archived'),
    condition('RetentionApplied', 'False', 'Suspended', 'nothing is deleted'),
  ];
  const status = { conditions, nextScheduleTime: undefined };
  expect(judged({ spec: { suspend: true }, status }, [])).toEqual(['suspended', 'suspended Suspended']);
  expect(judged(saying('RetentionApplied', 'False', 'DryRun'))).toEqual(['sound']);
});

test('backups that were never brought back are unproven, until a drill or a verification has done it', () => {
  const spec = { verification: undefined };
  const status = { conditions: without('Verified'), verification: undefined };
  expect(judged({ spec, status })).toEqual(['unproven', 'unproven NeverProven']);
  expect(judged({ spec, status: { ...status, drills: [drill('Completed', 3)] } })).toEqual(['sound']);
  const verified = run('orders-daily', 'orders', 10, { status: { verified: { time: at(3) } } });
  expect(judged({ spec, status }, [verified])).toEqual(['sound']);
  const soon = saying('Verified', 'Unknown', 'NotVerifiedYet');
  expect(judged({ status: { ...soon.status, verification: undefined } })).toEqual([
    'unproven',
    'unproven NotVerifiedYet',
  ]);
});

test('the worst comes first, and what Ready repeats is said once', () => {
  const words = 'The archive is 900 s behind';
  const conditions = [
    condition('Ready', 'False', 'FallingBehind', words),
    ...without('Ready', 'ContinuousArchiving', 'RetentionApplied'),
    condition('ContinuousArchiving', 'False', 'FallingBehind', words),
    condition('RetentionApplied', 'False', 'RetentionJobFailed', 'gone'),
  ];
  expect(judged({ status: { conditions, observedGeneration: 0 } })).toEqual([
    'failing',
    'failing FallingBehind',
    'unknown NotLookedAt',
    'attention RetentionJobFailed',
  ]);
});

test('without WAL no window is missed, and a policy by hand is not overdue', () => {
  const spec = { walArchiving: { mode: 'None' }, schedules: [] };
  const status = { restorable: undefined, wal: undefined, conditions: without('ContinuousArchiving') };
  expect(judged({ spec, status }, [run('by-hand', 'orders', 900)])).toEqual(['sound']);
});

function drill(outcome: 'Completed' | 'Failed', hours: number, objectivesMet?: boolean) {
  return {
    name: `drill-${hours}`,
    time: at(hours),
    outcome,
    ...(objectivesMet === undefined ? {} : { objectivesMet }),
  };
}

function archived() {
  return { restorable: { earliestTime: at(300), latestTime: at(0) } };
}

function gapEnding(hours: number | undefined): Parts {
  const wal = { timeline: 1, fromWal: '00000001000000000000002A', toWal: '00000001000000000000002F' };
  const times = hours === undefined ? {} : { fromTime: at(hours + 1), toTime: at(hours) };
  return { status: { restorable: { ...archived().restorable, gaps: [{ ...wal, ...times }] } } };
}
