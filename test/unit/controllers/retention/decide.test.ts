import { describe, expect, test } from 'vitest';
import type { RetentionStatus } from '../../../../src/api/retention.ts';
import { missing } from '../../../../src/controllers/refusal.ts';
import { decideRetention, type GatheredRetention } from '../../../../src/controllers/retention/decide.ts';
import { task as taskSchema } from '../../../../src/domain/task.ts';
import { agent, condition, ended, foundJob, job, now, policy, ready, report, repository, run } from '../objects.ts';

const hour = 3_600_000;
const ago = (milliseconds: number) => `${new Date(now.getTime() - milliseconds).toISOString().slice(0, 19)}Z`;
const spec = { retention: { recoveryWindow: '14d' } };
const applied = { ...report('Succeeded', 'Applied', '3 backups stay'), pod: 'expire-orders-x' };

function gathered(parts: Partial<GatheredRetention> = {}): GatheredRetention {
  return {
    policy: policy({ spec }),
    repositories: [repository({ status: ready })],
    account: undefined,
    runs: [],
    job: undefined,
    reader: undefined,
    agent,
    now,
    ...parts,
  };
}

/** A policy whose last Job has planned. */
function planned(
  retention: RetentionStatus = {},
  more: { readonly spec?: object; readonly conditions?: unknown[] } = {},
) {
  const { conditions = [] } = more;
  const status = { conditions, retention: { generation: 1, plannedTime: ago(hour), report: applied, ...retention } };
  return policy({ spec: { ...spec, ...more.spec }, status });
}

const annotated = (annotations: object) => job('expire-orders', { owner: 'uid-of-orders', metadata: { annotations } });
const generation = { 'tidemark.dev/policy-generation': '1' };
const running = { ...foundJob('expire-orders'), job: annotated(generation) };
const pods = [{ name: 'expire-orders-x', phase: 'Succeeded', createdAt: ago(10) }];
const finished = { ...running, view: { finished: ended('Complete'), pods } };
const told = { ...finished, job: annotated({ ...generation, 'tidemark.dev/told': 'true' }) };

describe('a Job', () => {
  test('is made where nothing was planned yet, with all that the agent is to know', () => {
    const held = run({ name: 'kept', spec: { hold: true }, status: { backupID: '20260101T000000Z-logical' } });
    const { create, conditions } = decideRetention(gathered({ runs: [held, run({ spec: { hold: true } })] }));
    expect(create).toMatchObject({
      kind: 'Job',
      metadata: {
        name: 'expire-orders',
        annotations: generation,
        ownerReferences: [{ kind: 'BackupPolicy', uid: 'uid-of-orders', controller: true }],
      },
      spec: { backoffLimit: 0, activeDeadlineSeconds: 3600 },
    });
    const { template } = (create as unknown as { readonly spec: object }).spec as {
      readonly template: {
        readonly spec: { readonly containers: readonly [{ readonly env: readonly { name: string; value: string }[] }] };
      };
    };
    const told = template.spec.containers[0].env.find(({ name }) => name === 'TIDEMARK_TASK')?.value ?? '';
    expect(taskSchema.parse(JSON.parse(told))).toMatchObject({
      action: 'expire',
      policy: { name: 'orders', uid: 'uid-of-orders', generation: 1 },
      retention: { recoveryWindow: '14d', minBackups: 2, dryRun: false },
      held: ['20260101T000000Z-logical'],
      issuedTime: '2026-03-10T12:00:00Z',
    });
    expect(conditions).toMatchObject([{ type: 'RetentionApplied', status: 'Unknown', reason: 'NotPlannedYet' }]);
  });

  test.each<[string, Partial<GatheredRetention>]>([
    ['for a policy that changed', { policy: planned({ generation: 0 }) }],
    ['when a time has come', { policy: planned({ nextDueTime: ago(1000) }) }],
    [
      'after a backup',
      { policy: planned(), runs: [run({ status: { phase: 'Completed', completionTime: ago(60_000) } })] },
    ],
    ['every six hours', { policy: planned({ plannedTime: ago(6 * hour) }) }],
    [
      'an hour after one that failed',
      { policy: planned({ report: { ...report('Failed'), completionTime: ago(hour) } }) },
    ],
  ])('is made %s', (_, parts) => {
    expect(decideRetention(gathered(parts)).create).toBeDefined();
  });

  test.each<[string, Partial<GatheredRetention>, number | undefined]>([
    ['before its time', { policy: planned({ nextDueTime: ago(-60_000) }) }, 60_000],
    [
      'within a minute of a plan by whose clock it was not yet time',
      { policy: planned({ plannedTime: ago(15_000), nextDueTime: ago(30_000) }) },
      45_000,
    ],
    [
      'for a backup that the plan has seen',
      { policy: planned(), runs: [run({ status: { phase: 'Completed', completionTime: ago(2 * hour) } })] },
      5 * hour,
    ],
    [
      'for a backup that failed',
      { policy: planned(), runs: [run({ status: { phase: 'Failed', completionTime: ago(1000) } })] },
      5 * hour,
    ],
    [
      'soon after one that failed',
      { policy: planned({ generation: 0, report: { ...report('Failed'), completionTime: ago(1000) } }) },
      hour - 1000,
    ],
    ['while somebody reads', { reader: 'RestoreRequest back' }, 60_000],
    ['while one runs', { job: running }, undefined],
    ['for a suspended policy', { policy: policy({ spec: { ...spec, suspend: true } }) }, undefined],
    ['without rules', { policy: policy({ spec: { retention: { minBackups: 3, keepLast: 0 } } }) }, undefined],
    ['without retention', { policy: policy() }, undefined],
    ['into a repository that is not ready', { repositories: [repository()] }, undefined],
    ['into a repository that is not there', { repositories: [undefined] }, undefined],
    [
      'into a read-only repository',
      { repositories: [repository({ spec: { volume: { claimName: 'c' }, accessMode: 'ReadOnly' }, status: ready })] },
      undefined,
    ],
    ['without an account', { account: missing('ServiceAccountNotFound', 'none') }, undefined],
  ])('is not made %s', (_, parts, wait) => {
    const { create, lookAgainMilliseconds } = decideRetention(gathered(parts));
    expect([create, lookAgainMilliseconds]).toEqual([undefined, wait]);
  });

  test('that has ended is told first, then makes room for the next', () => {
    const late = gathered({ policy: planned({ nextDueTime: ago(1000) }) });
    const untold = decideRetention({ ...late, job: finished });
    expect(untold).toMatchObject({ create: undefined, removeJob: true, tell: true });
    expect(decideRetention({ ...late, job: told })).toMatchObject({ create: undefined, removeJob: true, tell: false });
    const silent = {
      ...finished,
      view: {
        finished: { ...ended('Complete'), time: ago(1000) },
        pods: [{ ...pods[0], name: 'expire-orders-y' } as never],
      },
    };
    expect(decideRetention({ ...late, job: silent })).toMatchObject({
      removeJob: false,
      tell: false,
      lookAgainMilliseconds: 2000,
    });
  });

  test.each<[string, Partial<GatheredRetention>]>([
    ['a policy that is suspended', { policy: planned({}, { spec: { suspend: true } }) }],
    ['a policy that changed', { job: { ...running, job: annotated({ 'tidemark.dev/policy-generation': '0' }) } }],
    ['a policy without retention', { policy: policy() }],
  ])('that runs is ended for %s', (_, parts) => {
    expect(decideRetention(gathered({ job: running, ...parts })).removeJob).toBe(true);
  });
});

describe('RetentionApplied', () => {
  const before = { conditions: [condition('RetentionApplied', 'True', 'Applied', 'before')] };
  test.each<[string, Partial<GatheredRetention>, string, string]>([
    ['what the agent said', { policy: planned() }, 'True', 'Applied'],
    ['a dry run', { policy: planned({ report: report('Succeeded', 'DryRun') }) }, 'False', 'DryRun'],
    ['locked objects', { policy: planned({ report: report('Succeeded', 'Locked') }) }, 'True', 'Locked'],
    ['a doubt', { policy: planned({ report: report('Failed', 'UnreadableManifest') }) }, 'False', 'UnreadableManifest'],
    [
      'what stood, while a Job runs',
      { policy: planned({ report: report('Running') }, before), job: running },
      'True',
      'Applied',
    ],
    ['nothing, before the first plan', {}, 'Unknown', 'NotPlannedYet'],
    ['a suspended policy', { policy: planned({}, { spec: { suspend: true } }) }, 'False', 'Suspended'],
    ['rules that let nothing go', { policy: policy({ spec: { retention: {} } }) }, 'False', 'NoRule'],
    [
      'an agent that left its words with the kubelet',
      {
        policy: planned(),
        job: {
          ...running,
          view: {
            finished: ended('Failed'),
            pods: [
              {
                name: 'expire-orders-y',
                phase: 'Failed',
                createdAt: '',
                termination: report('Failed', 'StoreUnreachable'),
              },
            ],
          },
        },
      },
      'False',
      'StoreUnreachable',
    ],
    [
      'a Job that ended without a word',
      {
        policy: planned(),
        job: {
          ...running,
          view: { finished: { ...ended('Failed', 'DeadlineExceeded'), time: ago(60_000) }, pods: [] },
        },
      },
      'False',
      'RetentionJobFailed',
    ],
  ])('says %s', (_, parts, status, reason) => {
    expect(decideRetention(gathered(parts)).conditions).toMatchObject([{ type: 'RetentionApplied', status, reason }]);
  });

  test('says for whom the next Job waits', () => {
    const { conditions } = decideRetention(
      gathered({ policy: planned({ nextDueTime: ago(1) }), reader: 'PitrRecovery x' }),
    );
    expect(conditions).toMatchObject([
      {
        status: 'True',
        message: expect.stringMatching(/^3 backups stay The next Job waits until PitrRecovery x has ended/),
      },
    ]);
  });

  test('is not said of a policy without retention', () => {
    expect(decideRetention(gathered({ policy: policy() })).conditions).toEqual([]);
  });
});

test('every deletion of the Job that has ended is an Event, once', () => {
  const plannedTime = ago(hour);
  const deleted = [
    { run: 'a', backupID: '1', repository: 'store', bytes: '7', time: plannedTime, reason: 'no rule keeps it' },
    { run: 'earlier', backupID: '0', repository: 'store', bytes: '7', time: ago(9 * hour), reason: 'no rule keeps it' },
  ];
  const pruned = { time: plannedTime, segments: 12, bytes: '99' };
  const parts = gathered({ policy: planned({ plannedTime, deleted, pruned }), job: finished });
  expect(decideRetention(parts).events.map(({ reason, note }) => [reason, note])).toEqual([
    ['BackupExpired', 'Retention deleted the backup 1 of BackupRun a from store (7 bytes): no rule keeps it'],
    ['WalPruned', 'Retention deleted 12 WAL segments (99 bytes) that no backup needs any more'],
  ]);
  expect(decideRetention({ ...parts, job: told }).events).toEqual([]);
  expect(decideRetention({ ...parts, job: running }).events).toEqual([]);
});
