import { describe, expect, test } from 'vitest';
import { decide, decideUndone } from '../../../../src/controllers/pitr-recovery/decide.ts';
import type { Decision, Gathered, Step } from '../../../../src/controllers/pitr-recovery/gathered.ts';
import { missing, refused } from '../../../../src/controllers/refusal.ts';
import type { JobView } from '../../../../src/domain/job-state.ts';
import { condition, ended, foundJob, job, now, pod, recovery } from '../objects.ts';
import { gathered, inPlace, plan, surroundings, workload } from './things.ts';

const mark = 'tidemark.dev/running-job';
const planned = { jobName: 'before-plan', plan: { recovery: plan, walBytes: String(2 ** 30) } };
const told = (what: 'plan' | 'recover', outcome: string, reason = 'Told', message = 'as told') => ({
  report: { outcome, reason, message, pod: `before-${what}-abcde` },
});
const complete = ended('Complete');
const found = (name: string, view: Partial<JobView> = {}) => ({ ...foundJob(name, view), job: job(name) });
const planDone = { planJob: found('before-plan', { finished: complete }) };
const afterPlan = (spec: object = {}, status: object = {}) =>
  recovery({ spec: { ...spec }, status: { ...planned, ...told('plan', 'Succeeded', 'Planned'), ...status } });
const running: Partial<JobView> = { pods: [{ name: 'before-recover-abcde', phase: 'Running', createdAt: '' }] };
const atWork = (spec: object = {}, status: object = {}) =>
  recovery({
    spec: { ...spec },
    metadata: { finalizers: [mark] },
    status: { ...planned, jobName: 'before-recover', ...told('recover', 'Running'), ...status },
  });
const own = [
  { kind: 'StatefulSet', name: 'copy', uid: 's', own: true },
  { kind: 'Service', name: 'copy', uid: 'v', own: true },
  { kind: 'PersistentVolumeClaim', name: 'data-copy-0', uid: 'c', own: true },
] as const;

const brief = ({ status, lookAgainMilliseconds }: Decision) => [
  status?.phase,
  status?.conditions[0]?.reason,
  lookAgainMilliseconds,
];
const doing = (steps: readonly Step[]) =>
  steps.map((step) => {
    if (step.do === 'remove') return `remove ${step.kind} ${step.name}`;
    if (step.do === 'scale') return `scale ${step.workload.name} ${step.replicas}`;
    return `${step.do} ${step.object.kind} ${step.object.metadata.name}`;
  });

test('first the repository is read, by a Job that touches nothing', () => {
  const decision = decide(gathered());
  expect(doing(decision.steps)).toEqual(['makeJob Job before-plan']);
  expect(decision.status).toMatchObject({ phase: 'Preparing', jobName: 'before-plan', error: '' });
  expect(decision.finalizers).toEqual([mark]);
});

describe('before anything is touched', () => {
  const noServer = { ...surroundings, server: undefined };
  const replicas = (count: number) => ({
    recovery: recovery({ spec: { target: inPlace } }),
    workload: workload({ replicas: count }),
  });
  test.each<[string, Partial<Gathered>]>([
    ['TargetExists', { namesakes: [{ kind: 'Service', name: 'copy', uid: 'x', own: false }] }],
    ['ImageUnknown', { surroundings: noServer }],
    ['ServiceAccountNotAllowed', { account: refused('ServiceAccountNotAllowed', 'no') }],
    ['NotImplemented', { surroundings: refused('NotImplemented', 'no') }],
    ['TargetNotFound', { recovery: recovery({ spec: { target: inPlace } }) }],
    ['MoreThanOneReplica', replicas(2)],
    ['VolumeWouldBeDeleted', { ...replicas(1), workload: workload({ losesClaims: true }) }],
  ])('%s is refused', (reason, change) => {
    const decision = decide(gathered(change));
    expect(brief(decision)).toEqual(['Failed', reason, undefined]);
    expect(decision.steps).toEqual([]);
    expect(decision.finalizers).toEqual([]);
    expect(decision.events).toMatchObject([{ type: 'Warning', reason }]);
  });

  test('what may come is waited for, for a minute', () => {
    const late = new Date(now.getTime() + 60_000);
    const absent = { surroundings: missing('PolicyNotFound', 'none') };
    expect(brief(decide(gathered(absent)))).toEqual(['Pending', 'PolicyNotFound', 5_000]);
    expect(brief(decide(gathered({ ...absent, now: late })))).toEqual(['Failed', 'PolicyNotFound', undefined]);
  });

  test('a source with an image needs no workload', () => {
    const instance = { name: 'copy', storage: { size: '1Gi' }, image: 'postgres:17' };
    const decision = decide(
      gathered({ recovery: recovery({ spec: { target: { instance } } }), surroundings: noServer }),
    );
    expect(doing(decision.steps)).toEqual(['makeJob Job before-plan']);
  });
});

describe('while it is planned', () => {
  test('it is Preparing, and a pod that does not start is told', () => {
    const atPlan = recovery({ status: { jobName: 'before-plan' } });
    const planJob = (view: Partial<JobView>) => ({ recovery: atPlan, planJob: found('before-plan', view) });
    const one = { name: 'before-plan-x', createdAt: '' };
    expect(brief(decide(gathered(planJob({ pods: [{ ...one, phase: 'Running' }] }))))).toEqual([
      'Preparing',
      'Planning',
      undefined,
    ]);
    const stuck = decide(
      gathered(planJob({ pods: [{ ...one, phase: 'Pending', trouble: { reason: 'ErrImagePull', message: 'no' } }] })),
    );
    expect(brief(stuck)).toEqual(['Preparing', 'ErrImagePull', undefined]);
    expect(stuck.events).toMatchObject([{ type: 'Warning', reason: 'ErrImagePull' }]);
  });

  test('a target that cannot be reached ends it with the agent’s words', () => {
    const failed = recovery({
      status: { jobName: 'before-plan', ...told('plan', 'Failed', 'TargetTooLate', 'nearest: …') },
    });
    const decision = decide(
      gathered({ recovery: failed, planJob: found('before-plan', { finished: ended('Failed') }) }),
    );
    expect(decision.status).toMatchObject({ phase: 'Failed', error: 'nearest: …' });
    expect(brief(decision)[1]).toBe('TargetTooLate');
  });

  test('a dry run ends with the plan, and makes nothing', () => {
    const decision = decide(gathered({ recovery: afterPlan({ dryRun: true }), ...planDone }));
    expect(brief(decision)).toEqual(['Completed', 'Planned', undefined]);
    expect(decision.steps).toEqual([]);
  });

  test('a dry run hears of what the plan rules out', () => {
    const root = afterPlan({ dryRun: true }, { plan: { recovery: { ...plan, uid: 0 } } });
    expect(brief(decide(gathered({ recovery: root, ...planDone })))[1]).toBe('RootOwned');
  });

  test('a plan that is lost is no plan', () => {
    expect(brief(decide(gathered({ recovery: afterPlan({}, { plan: {} }), ...planDone })))[1]).toBe('PlanLost');
  });
});

describe('a new instance', () => {
  test('has all its objects before the Job begins, so that a refusal of theirs comes first', () => {
    const decision = decide(gathered({ recovery: afterPlan(), ...planDone }));
    expect(doing(decision.steps)).toEqual([
      'make StatefulSet copy',
      'make Service copy',
      'make PersistentVolumeClaim data-copy-0',
      'makeJob Job before-recover',
    ]);
    expect(decision.status).toMatchObject({ phase: 'Preparing', jobName: 'before-recover' });
  });

  test.each([
    ['RestoringBase', 'RestoringBase'],
    ['ReplayingWal', 'ReplayingWal'],
    ['Checking', 'Checking'],
    ['Stopping', 'Checking'],
  ])('is at %s when the agent is', (stage, phase) => {
    const decision = decide(
      gathered({ recovery: atWork({}, { progress: { stage } }), recoverJob: found('before-recover', running) }),
    );
    expect(brief(decision)).toEqual([phase, 'Running', undefined]);
    expect(decision.events).toMatchObject([{ type: 'Normal', reason: phase }]);
  });

  const done = {
    recovery: atWork({}, told('recover', 'Succeeded', 'TargetReached')),
    recoverJob: found('before-recover', { finished: complete }),
    namesakes: own,
  };
  const copy = (change: object) => workload({ name: 'copy', pods: 0, ...change });

  test('gets its pod when the data is recovered, and is waited for', () => {
    const cold = decide(gathered({ ...done, workload: copy({ replicas: 0, ready: false }) }));
    expect(doing(cold.steps)).toEqual(['scale copy 1']);
    expect(brief(cold)).toEqual(['Checking', 'StartingServer', 1_000]);
    expect(doing(decide(gathered({ ...done, workload: copy({ ready: false }) })).steps)).toEqual([]);
  });

  test('is Completed when its server is ready, and says where it is', () => {
    const decision = decide(gathered({ ...done, workload: copy({}) }));
    expect(decision.status).toMatchObject({ phase: 'Completed', endpoint: { service: 'copy', port: 5432 } });
    expect(brief(decision)[1]).toBe('TargetReached');
    expect(decision.steps).toEqual([]);
    expect(decision.finalizers).toEqual([]);
  });

  test('that does not become ready says so, and keeps what was recovered', () => {
    const later = new Date(now.getTime() + 20 * 60_000);
    const decision = decide(gathered({ ...done, workload: copy({ ready: false }), now: later }));
    expect(brief(decision)).toEqual(['Failed', 'ServerNotReady', undefined]);
    expect(decision.steps).toEqual([]);
    expect(brief(decide(gathered(done)))[1]).toBe('ServerGone');
  });

  test('of which the recovery failed is removed whole, and nothing that is another’s', () => {
    const failed = {
      recovery: atWork({}, told('recover', 'Failed', 'WalMissing')),
      recoverJob: found('before-recover', { finished: ended('Failed') }),
      namesakes: [...own, { kind: 'Service', name: 'other', uid: 'o', own: false } as const],
    };
    const decision = decide(gathered(failed));
    expect(brief(decision)).toEqual(['Failed', 'WalMissing', undefined]);
    expect(doing(decision.steps)).toEqual([
      'remove StatefulSet copy',
      'remove Service copy',
      'remove PersistentVolumeClaim data-copy-0',
    ]);
    expect(brief(decide(gathered({ ...failed, activePods: [pod('p')] })))).toEqual(['Preparing', 'Stopping', 1_000]);
  });

  test('whose objects the API server does not take fails, and what was made of them goes', () => {
    const decision = decideUndone(
      gathered({ recovery: afterPlan(), namesakes: own.slice(0, 1) }),
      refused('TargetRefused', 'no'),
    );
    expect(brief(decision)).toEqual(['Failed', 'TargetRefused', undefined]);
    expect(doing(decision.steps)).toEqual(['remove StatefulSet copy']);
    expect(brief(decideUndone(gathered(), 'waiting'))).toEqual(['Pending', 'Starting', 2_000]);
  });

  test('that is only extracted from has a volume and no server, and goes at the end', () => {
    const extract = { databases: [{ name: 'shop' }], into: { host: 'live', credentialsSecretRef: { name: 'live' } } };
    expect(doing(decide(gathered({ recovery: afterPlan({ extract }), ...planDone })).steps)).toEqual([
      'make PersistentVolumeClaim data-copy-0',
      'makeJob Job before-recover',
    ]);
    const end = decide(
      gathered({
        ...done,
        recovery: atWork({ extract }, told('recover', 'Succeeded', 'Extracted')),
        namesakes: own.slice(2),
      }),
    );
    expect(brief(end)).toEqual(['Completed', 'Extracted', undefined]);
    expect(doing(end.steps)).toEqual(['remove PersistentVolumeClaim data-copy-0']);
  });
});

describe('in place', () => {
  const target = { target: inPlace };
  const ready = (status: object, change: object) =>
    decide(gathered({ recovery: afterPlan(target, status), ...planDone, workload: workload(change) }));

  test('remembers the replicas, scales down, waits for the pods, and only then begins', () => {
    const first = ready({}, {});
    expect([first.status?.replicas, doing(first.steps), brief(first)[1]]).toEqual([1, [], 'ScalingDown']);
    expect(first.events).toMatchObject([{ type: 'Normal', reason: 'ScalingDown' }]);
    expect(doing(ready({ replicas: 1 }, {}).steps)).toEqual(['scale orders-db 0']);
    const ending = ready({ replicas: 1 }, { replicas: 0, pods: 1 });
    expect([doing(ending.steps), ending.lookAgainMilliseconds]).toEqual([[], 1_000]);
    const begun = ready({ replicas: 1 }, { replicas: 0, pods: 0 });
    expect(doing(begun.steps)).toEqual(['makeJob Job before-recover']);
    expect(begun.status?.replicas).toBe(1);
  });

  test('the claim of the workload is filled', () => {
    const [step] = ready({ replicas: 1 }, { replicas: 0, pods: 0 }).steps;
    expect(JSON.stringify(step)).toContain('"claimName":"pgdata-orders-db-0"');
  });

  test('a workload that somebody scales up in the middle goes down again', () => {
    const decision = decide(
      gathered({
        recovery: atWork(target, { replicas: 1 }),
        recoverJob: found('before-recover', running),
        workload: workload(),
      }),
    );
    expect(doing(decision.steps)).toEqual(['scale orders-db 0']);
    expect(decision.events.at(-1)).toMatchObject({ type: 'Warning', reason: 'ScaledUpMeanwhile' });
  });

  const down = workload({ replicas: 0, ready: false, pods: 0 });

  test('is scaled up with the recovered data', () => {
    const done = {
      recovery: atWork(target, { replicas: 1, ...told('recover', 'Succeeded', 'TargetReached') }),
      recoverJob: found('before-recover', { finished: complete }),
    };
    expect(doing(decide(gathered({ ...done, workload: down })).steps)).toEqual(['scale orders-db 1']);
    expect(brief(decide(gathered({ ...done, workload: workload() })))[0]).toBe('Completed');
    const stopped = atWork(target, { replicas: 0, ...told('recover', 'Succeeded') });
    expect(brief(decide(gathered({ ...done, recovery: stopped, workload: down })))[0]).toBe('Completed');
  });

  const failed = (status: object, view: Partial<JobView> = {}) =>
    decide(
      gathered({
        recovery: atWork(target, { replicas: 1, ...status }),
        recoverJob: found('before-recover', { finished: ended('Failed'), ...view }),
        workload: down,
      }),
    );

  test('is scaled up again where the recovery failed and the agent has put the old data back', () => {
    expect(doing(failed(told('recover', 'Failed', 'AssertionFailed')).steps)).toEqual(['scale orders-db 1']);
    const termination = { outcome: 'Failed', reason: 'x', message: 'y' } as const;
    const view = { pods: [{ name: 'p', phase: 'Failed', createdAt: '', termination }] };
    expect(doing(failed({}, view).steps)).toEqual(['scale orders-db 1']);
  });

  test('no server starts on a directory that a killed agent may have left half-made', () => {
    const exit = { code: 137, reason: 'OOMKilled' };
    const silent = failed({}, { pods: [{ name: 'before-recover-abcde', phase: 'Failed', createdAt: '', exit }] });
    expect(silent.steps).toEqual([]);
    expect(silent.status?.error).toContain('stays at 0 replicas');
    const unclear = failed(told('recover', 'Failed', 'PlaceUnclear'));
    expect([unclear.steps, unclear.status?.phase]).toEqual([[], 'Failed']);
  });

  test('that is refused after it was scaled down is scaled up again', () => {
    const decision = decideUndone(
      gathered({ recovery: afterPlan(target, { replicas: 1 }), ...planDone, workload: down }),
      refused('JobRefused', 'no'),
    );
    expect(doing(decision.steps)).toEqual(['scale orders-db 1']);
  });
});

describe('a drill', () => {
  const target = { target: { ephemeral: {} } };

  test('has a volume of the source’s class that goes with its pod, or the node’s disk', () => {
    const decision = decide(gathered({ recovery: afterPlan(target), ...planDone }));
    expect(doing(decision.steps)).toEqual(['makeJob Job before-recover']);
    expect(JSON.stringify(decision.steps)).toContain('"requests":{"storage":"7Gi"}},"storageClassName":"fast"');
    const unknown = { ...surroundings, claim: undefined };
    expect(
      JSON.stringify(decide(gathered({ recovery: afterPlan(target), ...planDone, surroundings: unknown })).steps),
    ).toContain('"name":"recovered-data","emptyDir":{}');
  });

  test.each([
    [{ rtoSeconds: 41, rpoSeconds: 0 }, 'True', 'ObjectivesMet'],
    [{ rtoSeconds: 901, rpoSeconds: 0 }, 'False', 'ObjectivesMissed'],
    [{ rtoSeconds: 41 }, 'Unknown', 'NotMeasured'],
  ])('measured %o against its objectives', (measured, status, reason) => {
    const objectives = { rtoSeconds: 900, rpoSeconds: 60 };
    const decision = decide(
      gathered({
        recovery: atWork({ ...target, objectives }, { measured, ...told('recover', 'Succeeded', 'TargetReached') }),
        recoverJob: found('before-recover', { finished: complete }),
      }),
    );
    expect(decision.status?.phase).toBe('Completed');
    expect(decision.status?.conditions[1]).toMatchObject({ type: 'ObjectivesMet', status, reason });
    expect(decision.events.some((event) => event.reason === 'ObjectivesMissed')).toBe(status === 'False');
  });
});

describe('that is cancelled', () => {
  test('ends its Job, waits for the pod, and removes what it made', () => {
    const cancelled = { recovery: atWork({ cancel: true }), namesakes: own };
    const first = decide(gathered({ ...cancelled, recoverJob: found('before-recover', running) }));
    expect(doing(first.steps)).toEqual(['remove Job before-recover']);
    expect(brief(decide(gathered({ ...cancelled, activePods: [pod('p')] })))[1]).toBe('Stopping');
    const last = decide(gathered(cancelled));
    expect(brief(last)).toEqual(['Cancelled', 'Cancelled', undefined]);
    expect(last.steps).toHaveLength(3);
    expect(last.status?.error).toBe('');
  });

  test('before it began, or while it is planned, has nothing to take back', () => {
    expect(brief(decide(gathered({ recovery: recovery({ spec: { cancel: true } }) })))[0]).toBe('Cancelled');
    const atPlan = recovery({ spec: { cancel: true }, status: { jobName: 'before-plan' } });
    expect(doing(decide(gathered({ recovery: atPlan, planJob: found('before-plan') })).steps)).toEqual([
      'remove Job before-plan',
    ]);
  });

  test('too late is not cancelled any more', () => {
    const decision = decide(
      gathered({
        recovery: atWork({ cancel: true }, told('recover', 'Succeeded', 'TargetReached')),
        recoverJob: found('before-recover', { finished: complete }),
        workload: workload({ name: 'copy' }),
      }),
    );
    expect(brief(decision)[0]).toBe('Completed');
  });
});

describe('that is deleted', () => {
  const deleted = (status: object = {}, spec: object = {}) =>
    recovery({
      spec: { ...spec },
      metadata: { deletionTimestamp: 'now', finalizers: [mark, 'other'] },
      status: { ...planned, jobName: 'before-recover', ...told('recover', 'Cancelled'), ...status },
    });

  test('ends its Job, then takes back what it made, then goes', () => {
    const job = decide(gathered({ recovery: deleted(), recoverJob: found('before-recover', running) }));
    expect([doing(job.steps), job.finalizers]).toEqual([['remove Job before-recover'], [mark, 'other']]);
    expect(decide(gathered({ recovery: deleted(), activePods: [pod('p')] })).finalizers).toEqual([mark, 'other']);
    const last = decide(gathered({ recovery: deleted(), namesakes: own }));
    expect([last.steps.length, last.finalizers]).toEqual([3, ['other']]);
  });

  test('leaves the server that it has made', () => {
    const decision = decide(gathered({ recovery: deleted({ phase: 'Completed' }), namesakes: own }));
    expect([decision.steps, decision.finalizers]).toEqual([[], ['other']]);
  });

  test('brings the workload back that it had scaled down', () => {
    const down = workload({ replicas: 0, pods: 0 });
    const decision = decide(gathered({ recovery: deleted({ replicas: 1 }, { target: inPlace }), workload: down }));
    expect(doing(decision.steps)).toEqual(['scale orders-db 1']);
    const silent = deleted({ replicas: 1, ...told('recover', 'Running') }, { target: inPlace });
    const held = decide(gathered({ recovery: silent, workload: down }));
    expect(held.steps).toEqual([]);
    expect(held.events).toMatchObject([{ type: 'Warning', reason: 'PlaceUnclear' }]);
  });
});

test.each(['Completed', 'Failed', 'Cancelled'])('%s is final', (phase) => {
  const final = recovery({ metadata: { finalizers: [mark] }, status: { phase } });
  expect(decide(gathered({ recovery: final, namesakes: own }))).toMatchObject({
    status: undefined,
    steps: [],
    finalizers: [],
  });
});

test('a report of the Job that planned says nothing of the one that recovers', () => {
  const stale = atWork({}, told('plan', 'Succeeded', 'Planned'));
  const decision = decide(gathered({ recovery: stale, recoverJob: found('before-recover', { finished: complete }) }));
  expect(brief(decision)[1]).toBe('NoReport');
});

test('an Event is written where something has changed, and only then', () => {
  const conditions = [condition('Succeeded', 'Unknown', 'Running')];
  const same = atWork({}, { progress: { stage: 'ReplayingWal' }, phase: 'ReplayingWal', conditions });
  expect(decide(gathered({ recovery: same, recoverJob: found('before-recover', running) })).events).toEqual([]);
});
