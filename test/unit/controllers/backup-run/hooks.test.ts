import { describe, expect, test } from 'vitest';
import type { Condition } from '../../../../src/api/condition.ts';
import { decide, type Gathered, settled } from '../../../../src/controllers/backup-run/decide.ts';
import { decideHooks, type GatheredHooks } from '../../../../src/controllers/backup-run/hooks/decide.ts';
import { endDeleted } from '../../../../src/controllers/backup-run/hooks/end-deleted.ts';
import { reconcileRun } from '../../../../src/controllers/backup-run/reconcile.ts';
import { refused } from '../../../../src/controllers/refusal.ts';
import { findCondition } from '../../../../src/domain/conditions.ts';
import { runningJobFinalizer } from '../../../../src/domain/labels.ts';
import { task as taskSchema } from '../../../../src/domain/task.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import { FakeCluster } from '../fake-cluster.ts';
import {
  agent,
  condition,
  ended,
  foundJob,
  job,
  now,
  pod,
  policy,
  ready,
  report,
  repository,
  run,
} from '../objects.ts';

const http = { url: 'https://hc.example.com/ping/canary' };
const hooks = {
  preBackup: [{ http }],
  postBackup: [
    { http, timeoutSeconds: 90 },
    { http, when: 'OnFailure' },
  ],
};
const withHooks = (more: object = {}) => policy({ spec: { hooks, ...more } });
const pending = condition('HooksSucceeded', 'Unknown', 'HooksPending');
const succeeded = condition('Succeeded', 'False', 'OutOfMemory');
const stalled = condition('Stalled', 'True', 'OutOfMemory');
const result = (hook: string, state: string) => ({ hook, state });
const done = (phase: string, ...results: readonly object[]) => ({ phase, results });

describe('a run that ends', () => {
  const over = (parts: Partial<Gathered> = {}): Gathered => ({
    run: run({ status: { jobName: 'by-hand', report: report('Failed', 'OutOfMemory', 'No.') } }),
    policy: withHooks(),
    repositories: [repository({ status: ready })],
    hosts: ['db.example'],
    account: undefined,
    others: [],
    job: foundJob('by-hand', { finished: ended('Failed', 'BackoffLimitExceeded') }),
    jobExists: true,
    activePods: [],
    agent,
    now,
    ...parts,
  });
  const hooksOf = (parts: Partial<Gathered> = {}) => {
    const { status, finalizers, events } = decide(over(parts));
    return {
      told: findCondition(status?.conditions, 'HooksSucceeded'),
      phase: status?.phase,
      finalizers,
      events: events.filter(({ reason }) => reason.startsWith('Hook')),
    };
  };

  test('without what comes after it says so with its end, and is kept until that is done', () => {
    const { told, phase, finalizers } = hooksOf();
    expect(phase).toBe('Failed');
    expect(told).toMatchObject({ status: 'Unknown', reason: 'HooksPending' });
    expect(told?.message).toContain('postBackup[0], postBackup[1]');
    expect(finalizers).toEqual([runningJobFinalizer]);
  });

  test('after its agent has run them says how they ended, once', () => {
    const complete = {
      run: run({
        status: { report: report('Succeeded'), hooks: done('Completed', result('postBackup[0]', 'Succeeded')) },
      }),
      job: foundJob('by-hand', { finished: ended('Complete') }),
    };
    expect(hooksOf(complete)).toMatchObject({
      phase: 'Completed',
      told: { status: 'True' },
      finalizers: [],
      events: [],
    });
    const failed = run({
      status: {
        report: report('Succeeded'),
        hooks: done('Completed', { ...result('postBackup[0]', 'Failed'), message: 'It answered 500.' }),
      },
    });
    expect(hooksOf({ ...complete, run: failed })).toMatchObject({
      phase: 'Completed',
      told: { status: 'False', reason: 'HookFailed' },
      events: [{ type: 'Warning', reason: 'HookFailed', note: 'postBackup[0] failed: It answered 500.' }],
    });
  });

  test.each<[string, Partial<Gathered>]>([
    ['refused before it began', { run: run(), job: undefined, jobExists: false, policy: withHooks({ suspend: true }) }],
    ['cancelled', { run: run({ spec: { cancel: true } }), job: undefined, jobExists: false }],
  ])('because it was %s has what comes after it too', (_, parts) => {
    const refusal = {
      ...parts,
      repositories: [repository({ spec: { volume: { claimName: 'c' }, accessMode: 'ReadOnly' } })],
    };
    expect(hooksOf(refusal).told).toMatchObject({ status: 'Unknown', reason: 'HooksPending' });
  });

  test('of a policy without hooks says nothing of them', () => {
    expect(hooksOf({ policy: policy() })).toMatchObject({ told: undefined, finalizers: [] });
  });

  test('that another one waits for, keeps it waiting until what comes after it is done', () => {
    const ahead = run({ name: 'ahead', status: { phase: 'Failed', conditions: [succeeded, pending] } });
    const next = decide(over({ run: run(), job: undefined, jobExists: false, others: [ahead] }));
    expect(next.status?.conditions[0]).toMatchObject({ reason: 'Queued' });
    const free = run({ name: 'ahead', status: { phase: 'Failed', conditions: [succeeded] } });
    expect(decide(over({ run: run(), job: undefined, jobExists: false, others: [free] })).create).toBeDefined();
  });
});

describe('what an agent has not run of the hooks', () => {
  const failed = (status: object = {}) =>
    run({
      status: {
        phase: 'Failed',
        error: 'No.',
        completionTime: '2026-03-10T11:59:59Z',
        conditions: [succeeded, pending],
        ...status,
      },
    });
  const gathered = (parts: Partial<GatheredHooks> = {}): GatheredHooks => ({
    run: failed(),
    policy: withHooks(),
    hosts: [],
    account: undefined,
    job: undefined,
    agent,
    now,
    ...parts,
  });
  const verdict = (parts: Partial<GatheredHooks>) => {
    const { status, events, create, lookAgainMilliseconds } = decideHooks(gathered(parts));
    const conditions = status?.['conditions'] as readonly Condition[] | undefined;
    return { told: findCondition(conditions, 'HooksSucceeded'), conditions, events, create, lookAgainMilliseconds };
  };

  test('is run in one small Job of the run’s own', () => {
    const { create } = decideHooks(
      gathered({ policy: withHooks({ jobTemplate: { resources: { limits: { memory: '8Gi' } } } }) }),
    );
    expect(create).toMatchObject({
      metadata: {
        name: 'hooks-by-hand',
        namespace: 'shop',
        ownerReferences: [{ kind: 'BackupRun', name: 'by-hand', uid: 'uid-of-by-hand' }],
        labels: { 'tidemark.dev/action': 'hooks', 'tidemark.dev/run': 'by-hand' },
      },
      // Three times what the hooks may take, and time for a pod to start.
      spec: { backoffLimit: 2, activeDeadlineSeconds: 3 * 150 + 900, ttlSecondsAfterFinished: 3600 },
    });
    const text = JSON.stringify(create);
    expect(text).not.toContain('8Gi');
    const { spec } = create as unknown as {
      spec: { template: { spec: { containers: [{ env: readonly { name: string; value: string }[] }] } } };
    };
    const env = spec.template.spec.containers[0].env.find(({ name }) => name === 'TIDEMARK_TASK');
    expect(taskSchema.parse(JSON.parse(env?.value ?? ''))).toMatchObject({
      action: 'hooks',
      phase: 'Failed',
      reason: 'OutOfMemory',
      error: 'No.',
      outstanding: ['postBackup[0]', 'postBackup[1]'],
    });
  });

  test('is not run a second time while that Job is at work', () => {
    expect(verdict({ job: foundJob('hooks-by-hand') })).toMatchObject({
      create: undefined,
      told: undefined,
      events: [],
    });
  });

  test('is told when it is done, whatever became of the Job, and the other conditions stay', () => {
    const results = [result('postBackup[0]', 'Succeeded'), result('postBackup[1]', 'Succeeded')];
    const parts = { run: failed({ hooks: done('Failed', ...results) }), job: undefined };
    expect(verdict(parts)).toMatchObject({
      told: { status: 'True', reason: 'HooksRan' },
      create: undefined,
      events: [],
    });
    expect(verdict(parts).conditions?.map(({ type }) => type)).toEqual(['Succeeded', 'HooksSucceeded']);
  });

  test('is said to be left undone where its Job failed', () => {
    const finished = { ...ended('Failed', 'DeadlineExceeded', 'too long'), time: '2026-03-10T11:59:00Z' };
    const trouble = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
    const pods = [{ name: 'p', phase: 'Pending', createdAt: '', trouble }];
    const { told, events } = verdict({ job: foundJob('hooks-by-hand', { finished, pods }) });
    expect(told).toMatchObject({ status: 'False', reason: 'HooksNotRun' });
    expect(told?.message).toMatch(/postBackup\[0\], postBackup\[1\].*Back-off pulling image/);
    expect(events).toMatchObject([{ type: 'Warning', reason: 'HooksNotRun' }]);
  });

  test('is not said to be left undone where only the word of it is missing', () => {
    const termination = { outcome: 'Succeeded', reason: 'HooksRan', message: '2 hooks were run.' } as const;
    const pods = [{ name: 'p', phase: 'Succeeded', createdAt: '', termination }];
    const at = (time: string) => foundJob('hooks-by-hand', { finished: { ...ended('Complete'), time }, pods });
    // The word may be on its way.
    expect(verdict({ job: at('2026-03-10T11:59:58Z') })).toMatchObject({
      told: undefined,
      lookAgainMilliseconds: 5_000,
    });
    expect(verdict({ job: at('2026-03-10T11:59:00Z') }).told).toMatchObject({
      status: 'False',
      reason: 'HooksNotTold',
      message: expect.stringContaining('2 hooks were run.'),
    });
  });

  test('is left undone where the policy is gone or has them no more, and that is said', () => {
    expect(verdict({ policy: undefined }).told?.message).toMatch(/Not run: the hooks after it.*is gone/);
    expect(verdict({ policy: policy() }).told).toMatchObject({ reason: 'HooksNotRun' });
    const left = failed({ hooks: done('Failed', result('postBackup[0]', 'Pending')) });
    expect(verdict({ run: left, policy: undefined }).told).toMatchObject({ reason: 'HooksNotRun', status: 'False' });
    expect(verdict({ run: left, policy: policy() }).told?.message).toMatch(/does not have them any more/);
  });

  test('waits ten minutes for what stands in the way, and is then said to be left undone', () => {
    const account = refused('ServiceAccountNotFound', 'There is no account.');
    expect(verdict({ account })).toMatchObject({ told: undefined, lookAgainMilliseconds: 5_000 });
    const late = failed({ completionTime: '2026-03-10T11:40:00Z' });
    expect(verdict({ account, run: late }).told).toMatchObject({ reason: 'HooksNotRun' });
    const rejection = refused('JobRefused', 'A quota forbids it.');
    expect(verdict({ rejection, run: late }).told?.message).toContain('A quota forbids it.');
  });
});

describe('an ended run', () => {
  const stopped = run({ status: { phase: 'Failed', conditions: [succeeded, pending] } });
  const signal = new AbortController().signal;

  test('is looked after until its hooks are run, and never again', async () => {
    const cluster = new FakeCluster({ policies: [withHooks()], runs: [stopped] });
    expect(await reconcileRun(cluster.context, 'shop', 'by-hand', signal)).toEqual({
      requeueAfterMilliseconds: 30_000,
    });
    expect(cluster.writes).toContain('POST jobs');
    const told = run({
      status: { phase: 'Failed', conditions: [succeeded, stalled, condition('HooksSucceeded', 'True', 'HooksRan')] },
    });
    const quiet = new FakeCluster({ policies: [withHooks()], runs: [told] });
    expect(await reconcileRun(quiet.context, 'shop', 'by-hand', signal)).toBe('done');
    expect(quiet.writes).toEqual([]);
  });

  test('of a time before its policy had hooks gets none', async () => {
    const old = run({ status: { phase: 'Failed', conditions: [succeeded, stalled] } });
    const cluster = new FakeCluster({ policies: [withHooks()], runs: [old] });
    await reconcileRun(cluster.context, 'shop', 'by-hand', signal);
    expect(cluster.writes).toEqual([]);
  });

  test('keeps its mark while they are to be run', () => {
    expect(settled(stopped).finalizers).toEqual([runningJobFinalizer]);
  });
});

describe('a run that is deleted while its agent works', () => {
  const deleted = (status: object, more: object = {}) =>
    run({
      metadata: { deletionTimestamp: '2026-03-10T11:59:50Z', finalizers: [runningJobFinalizer], ...more },
      status: { phase: 'Running', jobName: 'by-hand', ...status },
    });
  const signal = new AbortController().signal;

  test('is cancelled, and what was stopped for it is started again before it goes', async () => {
    const cluster = new FakeCluster({ policies: [withHooks()], runs: [deleted({})] });
    expect(await reconcileRun(cluster.context, 'shop', 'by-hand', signal)).toEqual({ requeueAfterMilliseconds: 2_000 });
    expect(cluster.writes).toEqual(['PATCH backupruns/by-hand/status']);
    expect(cluster.written('/status')).toMatchObject({
      status: {
        phase: 'Cancelled',
        conditions: [{ type: 'Succeeded' }, { type: 'Stalled' }, { type: 'HooksSucceeded', status: 'Unknown' }],
      },
    });
    const then = deleted({ phase: 'Cancelled', conditions: [succeeded, pending] });
    const next = new FakeCluster({ policies: [withHooks()], runs: [then] });
    expect(await reconcileRun(next.context, 'shop', 'by-hand', signal)).toEqual({ requeueAfterMilliseconds: 30_000 });
    expect(next.writes).toContain('POST jobs');
    expect(next.writes).not.toContain('PATCH backupruns/by-hand');
  });

  test('waits for its pod first', async () => {
    const working = pod('p', { metadata: { ownerReferences: [{ kind: 'Job', uid: 'uid-of-by-hand' }] } });
    const cluster = new FakeCluster({
      policies: [withHooks()],
      runs: [deleted({})],
      jobs: [job('by-hand')],
      pods: [working],
    });
    await reconcileRun(cluster.context, 'shop', 'by-hand', signal);
    expect(cluster.writes).toEqual(['DELETE jobs/by-hand']);
  });

  test('goes at once where nothing was begun, nothing is to come, or the hour is over', () => {
    const at = now;
    expect(endDeleted(deleted({ jobName: undefined }), withHooks(), at)).toBeUndefined();
    expect(endDeleted(deleted({}), policy(), at)).toBeUndefined();
    expect(endDeleted(deleted({}), undefined, at)).toBeUndefined();
    expect(endDeleted(deleted({}, { finalizers: [] }), withHooks(), at)).toBeUndefined();
    const stored = endDeleted(deleted({ report: report('Succeeded') }), withHooks(), at);
    expect(stored).toMatchObject({ phase: 'Completed' });
  });

  test('is let go where its namespace takes no Job any more', async () => {
    const then = deleted({ phase: 'Cancelled', conditions: [succeeded, pending] });
    const cluster = new FakeCluster({ policies: [withHooks()], runs: [then] });
    cluster.answer = ({ method, path }) => {
      if (method === 'POST' && path.endsWith('/jobs'))
        throw new ApiError(403, 'Forbidden', 'no', undefined, { causes: [{ reason: 'NamespaceTerminating' }] });
      return undefined;
    };
    await reconcileRun(cluster.context, 'shop', 'by-hand', signal);
    expect(cluster.written('backupruns/by-hand')).toBeDefined();
  });
});
