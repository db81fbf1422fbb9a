import { describe, expect, test } from 'vitest';
import { buildCronJob } from '../../../../src/controllers/backup-policy/cron-jobs.ts';
import { type Decision, decide, type Gathered } from '../../../../src/controllers/backup-policy/decide.ts';
import { surplusRuns } from '../../../../src/controllers/backup-policy/surplus-runs.ts';
import { missing, refused } from '../../../../src/controllers/refusal.ts';
import type { CronJob } from '../../../../src/kube/workloads.ts';
import { agent, condition, now, policy, ready, repository, run } from '../objects.ts';

function gathered(parts: Partial<Gathered> = {}): Gathered {
  return {
    policy: policy(),
    repositories: [repository({ status: ready })],
    hosts: ['db.example'],
    account: undefined,
    runs: [],
    cronJobs: [],
    archiving: { conditions: [], restorable: undefined },
    agent,
    now,
    ...parts,
  };
}

/** The CronJobs as they stand after `decision` was carried out. */
const applied = ({ apply }: Decision) => apply as unknown as readonly CronJob[];
const conditionOf = ({ status }: Decision, type: string) => status.conditions?.find((each) => each.type === type);

test('a policy has a CronJob a schedule, and says when the next one fires', () => {
  const decision = decide(gathered());
  expect(decision.apply).toMatchObject([
    {
      kind: 'CronJob',
      metadata: { name: 'orders-nightly', ownerReferences: [{ kind: 'BackupPolicy', uid: 'uid-of-orders' }] },
      spec: { schedule: '0 3 * * *', timeZone: 'Etc/UTC', concurrencyPolicy: 'Forbid', suspend: false },
    },
  ]);
  expect(decision.status.nextScheduleTime).toBe('2026-03-11T03:00:00Z');
  expect(decision.lookAgainAt).toEqual(new Date('2026-03-11T03:00:01Z'));
  expect(conditionOf(decision, 'Ready')).toMatchObject({ status: 'True', reason: 'Scheduled', message: '1 schedule' });
  expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'Scheduled' }]);
});

test('what stands is not written again; what changed is, and what no schedule wants goes', () => {
  const cronJobs = applied(decide(gathered()));
  expect(decide(gathered({ cronJobs }))).toMatchObject({ apply: [], remove: [] });
  const changed = policy({ spec: { schedules: [{ name: 'hourly', cron: '0 * * * *', method: 'Logical' }] } });
  const decision = decide(gathered({ policy: changed, cronJobs }));
  expect(decision.apply.map(({ metadata }) => metadata.name)).toEqual(['orders-hourly']);
  expect(decision.remove.map(({ metadata }) => metadata.name)).toEqual(['orders-nightly']);
});

describe('Ready', () => {
  test.each<[string, Partial<Gathered>, string, string]>([
    ['suspended', { policy: policy({ spec: { suspend: true } }) }, 'True', 'Suspended'],
    ['without schedules', { policy: policy({ spec: { schedules: [] } }) }, 'True', 'OnDemand'],
    ['of a repository that was not probed', { repositories: [repository()] }, 'Unknown', 'RepositoryNotProbed'],
    [
      'of a repository that cannot be used',
      { repositories: [repository({ status: { conditions: [condition('Ready', 'False', 'NoSuchBucket')] } })] },
      'False',
      'RepositoryNotReady',
    ],
    ['of no repository', { repositories: [undefined] }, 'False', 'RepositoryNotFound'],
    ['of no workload', { hosts: missing('TargetNotFound', 'none') }, 'False', 'TargetNotFound'],
    [
      'of a forbidden account',
      { account: refused('ServiceAccountNotAllowed', 'no') },
      'False',
      'ServiceAccountNotAllowed',
    ],
    [
      'of a day that does not exist',
      { policy: policy({ spec: { schedules: [{ name: 'x', cron: '0 0 31 2 *', method: 'Logical' }] } }) },
      'False',
      'InvalidSchedule',
    ],
    [
      'of an unknown time zone',
      {
        policy: policy({
          spec: { schedules: [{ name: 'x', cron: '0 0 * * *', timeZone: 'Mars/Base', method: 'Logical' }] },
        }),
      },
      'False',
      'InvalidSchedule',
    ],
    [
      'of a CronJob that the API server does not take',
      { rejection: refused('JobRefused', 'no') },
      'False',
      'JobRefused',
    ],
  ])('%s', (_, parts, status, reason) => {
    const decision = decide(gathered(parts));
    expect(conditionOf(decision, 'Ready')).toMatchObject({ status, reason });
    const mustAct =
      status === 'False' && !['RepositoryNotFound', 'TargetNotFound', 'RepositoryNotReady'].includes(reason);
    expect(conditionOf(decision, 'Stalled')?.status).toBe(mustAct ? 'True' : undefined);
    expect(decision.events).toHaveLength(status === 'Unknown' ? 0 : 1);
  });

  const archived = (status: 'True' | 'False' | 'Unknown', reason: string) => ({
    conditions: [{ type: 'ContinuousArchiving', status, reason, message: 'of the archive' }],
    restorable: undefined,
  });

  test.each<[string, Partial<Gathered>, string, string]>([
    ['while the archive follows', { archiving: archived('True', 'Archiving') }, 'True', 'Scheduled'],
    ['not while WAL is refused', { archiving: archived('False', 'WalConflict') }, 'False', 'WalConflict'],
    [
      'not known while the archive is not',
      { archiving: archived('Unknown', 'WatcherSilent') },
      'Unknown',
      'WatcherSilent',
    ],
    [
      'though it is suspended, as somebody wanted',
      { policy: policy({ spec: { suspend: true } }), archiving: archived('False', 'Suspended') },
      'True',
      'Suspended',
    ],
    ['while archiving is taken back', { archiving: archived('False', 'TakingBack') }, 'True', 'Scheduled'],
    [
      'not for what hinders more',
      { repositories: [undefined], archiving: archived('False', 'WalConflict') },
      'False',
      'RepositoryNotFound',
    ],
  ])('of a policy that archives: %s', (_, parts, status, reason) => {
    expect(conditionOf(decide(gathered(parts)), 'Ready')).toMatchObject({ status, reason });
  });

  test('for the archive’s sake is told in one Event', () => {
    const { events } = decide(gathered({ archiving: archived('False', 'WalConflict') }));
    expect(events).toMatchObject([{ type: 'Warning', reason: 'WalConflict', action: 'Archive' }]);
    const refused = condition('Ready', 'False', 'WalConflict');
    const before = policy({ status: { conditions: [refused, { ...refused, type: 'ContinuousArchiving' }] } });
    const again = decide(gathered({ policy: before, archiving: archived('True', 'Archiving') }));
    expect(again.events.map(({ reason }) => reason)).toEqual(['Scheduled', 'Archiving']);
  });

  test('is told once', () => {
    const told = policy({ status: { conditions: [condition('Ready', 'True', 'Scheduled')] } });
    expect(decide(gathered({ policy: told })).events).toEqual([]);
  });
});

describe('the schedules that stand', () => {
  const cronJobs = applied(decide(gathered()));
  test('go on while something is missing that may come back', () => {
    const decision = decide(gathered({ cronJobs, hosts: missing('TargetNotFound', 'none') }));
    expect(decision).toMatchObject({ apply: [], remove: [], lookAgainSoon: true });
    expect(decision.status.nextScheduleTime).toBe('2026-03-11T03:00:00Z');
  });

  test('end where the policy suspends them meanwhile, or asks for what cannot be done', () => {
    const suspended = policy({ spec: { suspend: true } });
    expect(decide(gathered({ cronJobs, policy: suspended, repositories: [undefined] })).remove).toEqual(cronJobs);
    expect(decide(gathered({ cronJobs, account: refused('ServiceAccountNotAllowed', 'no') })).remove).toEqual(cronJobs);
  });
});

test('only what no cache tells of is looked for again soon', () => {
  expect(decide(gathered({ repositories: [undefined] })).lookAgainSoon).toBe(false);
  expect(decide(gathered({ account: refused('ServiceAccountNotAllowed', 'no') })).lookAgainSoon).toBe(true);
});

test('a schedule whose task is too large is refused', () => {
  const [schedule] = policy().spec.schedules;
  if (schedule === undefined) throw new Error('the policy has a schedule');
  const task = { action: 'backup', logical: 'x'.repeat(100_000) } as never;
  expect(buildCronJob(policy(), schedule, task, agent)).toMatchObject({ reason: 'TaskTooLarge' });
});

describe('the runs of a policy', () => {
  const over = (name: string, phase: string, hour: number, parts: object = {}) =>
    run({
      name,
      ...parts,
      status: {
        phase,
        completionTime: `2026-03-10T0${hour}:00:00Z`,
        conditions: [condition('Succeeded', phase === 'Completed' ? 'True' : 'False', phase)],
        ...(phase === 'Failed' ? { error: 'why' } : {}),
      },
    });

  test('say how the last backup ended', () => {
    const decision = decide(
      gathered({ runs: [over('a', 'Completed', 1), over('b', 'Failed', 2), run({ name: 'c' })] }),
    );
    expect(conditionOf(decision, 'LastBackupSucceeded')).toMatchObject({ status: 'False', message: 'b failed: why' });
    expect(decision.status).toMatchObject({
      lastSuccessfulRun: { name: 'a', completionTime: '2026-03-10T01:00:00Z', reason: 'Completed' },
      lastFailedRun: { name: 'b', completionTime: '2026-03-10T02:00:00Z', reason: 'Failed' },
    });
    expect(conditionOf(decide(gathered()), 'LastBackupSucceeded')).toMatchObject({ status: 'Unknown' });
  });

  test('beyond the limits go, the oldest first; held ones and such as take their backup with them stay', () => {
    const limited = policy({ spec: { historyLimits: { succeeded: 1, failed: 1 } } });
    const runs = [
      over('s1', 'Completed', 1),
      over('s2', 'Completed', 2),
      over('s3', 'Completed', 3),
      over('held', 'Completed', 0, { spec: { hold: true } }),
      over('deletes', 'Completed', 0, { spec: { deletionPolicy: 'Delete' } }),
      over('f1', 'Failed', 1),
      over('f2', 'Cancelled', 2),
      run({ name: 'going' }),
    ];
    expect(surplusRuns(limited, runs).map(({ metadata }) => metadata.name)).toEqual(['s2', 's1', 'f1']);
    expect(surplusRuns(policy(), runs)).toEqual([]);
    const conditions = [{ type: 'Verified', status: 'False', reason: 'Any', message: '', lastTransitionTime: '' }];
    const bad = runs.map((each) => ({ ...each, status: { ...each.status, conditions } }) as typeof each);
    expect(surplusRuns(limited, bad), 'nobody else knows that its backup is bad').toEqual([]);
  });
});
