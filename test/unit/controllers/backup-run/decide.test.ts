import { describe, expect, test } from 'vitest';
import {
  type Decision,
  decide,
  decideUnmade,
  type Gathered,
  runJobName,
} from '../../../../src/controllers/backup-run/decide.ts';
import { missing, refused } from '../../../../src/controllers/refusal.ts';
import { agent, condition, ended, foundJob, now, pod, policy, report, repository, run } from '../objects.ts';

const scheduledMark = { labels: { 'tidemark.dev/schedule': 'nightly' } };
const long = { creationTimestamp: '2026-03-10T11:00:00Z' };

function gathered(parts: Partial<Gathered> = {}): Gathered {
  return {
    run: run(),
    policy: policy(),
    repositories: [repository()],
    hosts: ['db.example'],
    account: undefined,
    others: [],
    job: undefined,
    jobExists: false,
    activePods: [],
    agent,
    now,
    ...parts,
  };
}

const reason = ({ status }: Decision) => status?.conditions.find(({ type }) => type === 'Succeeded')?.reason;
const brief = (decision: Decision) => [decision.status?.phase, reason(decision), decision.lookAgainMilliseconds];

test('a new run gets its Job, is held while that runs, and says which it is', () => {
  const decision = decide(gathered());
  expect(decision.create).toMatchObject({
    kind: 'Job',
    metadata: {
      name: 'by-hand',
      namespace: 'shop',
      ownerReferences: [{ kind: 'BackupRun', uid: 'uid-of-by-hand', controller: true }],
      labels: { 'tidemark.dev/policy': 'orders', 'tidemark.dev/run': 'by-hand', 'tidemark.dev/action': 'backup' },
    },
    spec: { ttlSecondsAfterFinished: 604_800 },
  });
  expect(decision.finalizers).toEqual(['tidemark.dev/running-job']);
  expect(decision.status).toMatchObject({ phase: 'Pending', jobName: 'by-hand', observedGeneration: 1, error: '' });
  expect(decision.events).toEqual([]);
});

describe('what is missing is waited for a minute, what is wrong is not', () => {
  test.each<[string, Partial<Gathered>, string]>([
    ['no policy', { policy: undefined }, 'PolicyNotFound'],
    ['no repository', { repositories: [undefined] }, 'RepositoryNotFound'],
    ['no workload', { hosts: missing('TargetNotFound', 'none') }, 'TargetNotFound'],
    ['no account', { account: missing('ServiceAccountNotFound', 'none') }, 'ServiceAccountNotFound'],
  ])('%s', (_, parts, expected) => {
    expect(brief(decide(gathered(parts)))).toEqual(['Pending', expected, 5_000]);
    const late = decide(gathered({ ...parts, run: run({ metadata: long }) }));
    expect(brief(late).slice(0, 2)).toEqual(['Failed', expected]);
    expect(late.create).toBeUndefined();
    expect(late.finalizers).toEqual([]);
  });

  test.each<[string, Partial<Gathered>, string]>([
    ['Physical without an archive', { run: run({ spec: { method: 'Physical' } }) }, 'ArchivingNotConfigured'],
    ['a policy that cannot be read', { policy: refused('InvalidSpec', 'no') }, 'InvalidSpec'],
    [
      'a repository for reading only',
      { repositories: [repository({ spec: { volume: { claimName: 'c' }, accessMode: 'ReadOnly' } })] },
      'RepositoryReadOnly',
    ],
    [
      'an account that is not allowed',
      { account: refused('ServiceAccountNotAllowed', 'no') },
      'ServiceAccountNotAllowed',
    ],
  ])('%s', (_, parts, expected) => {
    const decision = decide(gathered(parts));
    expect(brief(decision)).toEqual(['Failed', expected, undefined]);
    expect(decision.status?.error).toBe(decision.status?.conditions[0]?.message);
    expect(decision.events).toMatchObject([{ type: 'Warning', reason: expected, action: 'Backup' }]);
  });
});

describe('a Physical run that needs the archive', () => {
  const physical = { spec: { method: 'Physical' } };
  const archiving = (conditions?: readonly object[]) =>
    policy({ spec: { walArchiving: { mode: 'Stream' } }, ...(conditions && { status: { conditions } }) });
  const unknown = (why: string) => archiving([condition('ContinuousArchiving', 'Unknown', why, 'soon')]);

  test.each([
    ['nothing is known of it', archiving()],
    ['its watcher starts', unknown('Starting')],
    ['the server is set up', unknown('SettingUp')],
    ['the pods restart', unknown('Restarting')],
    ['a person is to restart them', unknown('RestartNeeded')],
    ['the receiver connects', unknown('Connecting')],
  ])('waits, however long, while %s', (_, of) => {
    for (const metadata of [{}, long, { creationTimestamp: '2025-03-10T12:00:00Z' }]) {
      const decision = decide(gathered({ policy: of, run: run({ ...physical, metadata }) }));
      expect(brief(decision)).toEqual(['Pending', 'AwaitingArchiving', 60_000]);
      expect(decision.create).toBeUndefined();
    }
  });

  test('starts when it is there, or does not need it', () => {
    const of = archiving([condition('ContinuousArchiving', 'True', 'Archiving')]);
    const started = decide(gathered({ policy: of, run: run({ ...physical, metadata: long }) }));
    expect(brief(started).slice(0, 2)).toEqual(['Pending', 'Starting']);
    expect(started.create).toMatchObject({ kind: 'Job' });
    const alone = policy({ spec: { physical: { walMethod: 'Stream' } } });
    expect(decide(gathered({ policy: alone, run: run(physical) })).create).toMatchObject({ kind: 'Job' });
    expect(decide(gathered({ policy: unknown('SettingUp') })).create).toMatchObject({ kind: 'Job' });
  });
});

describe('one backup of a policy and method runs at a time', () => {
  const earlier = { metadata: { creationTimestamp: '2026-03-10T11:59:00Z' } };
  test.each([
    ['one that was created earlier', run({ name: 'other', ...earlier }), 'Queued'],
    ['one of the same second, by its name', run({ name: 'a' }), 'Queued'],
    ['one with a Job, whenever created', run({ name: 'z', status: { jobName: 'z', phase: 'Running' } }), 'Queued'],
    ['a schedule’s', run({ name: 'z', metadata: scheduledMark }), 'Queued'],
    ['none that is later', run({ name: 'z' }), 'Starting'],
    ['none that has ended', run({ name: 'a', status: { phase: 'Failed' } }), 'Starting'],
    ['none of the other method', run({ name: 'a', spec: { method: 'Physical' } }), 'Starting'],
    [
      'none that is being deleted',
      run({ name: 'a', metadata: { deletionTimestamp: '2026-03-10T11:59:59Z' } }),
      'Starting',
    ],
  ])('%s is ahead', (_, other, expected) => {
    const decision = decide(gathered({ others: [other] }));
    expect(reason(decision)).toBe(expected);
    expect(decision.create === undefined).toBe(expected === 'Queued');
  });

  test('and the queue has no end of patience', () => {
    const decision = decide(
      gathered({ run: run({ metadata: long }), others: [run({ name: 'z', status: { jobName: 'z' } })] }),
    );
    expect(brief(decision)).toEqual(['Pending', 'Queued', 60_000]);
  });
});

describe('a run with its Job', () => {
  test('is what its Job is', () => {
    const view = { pods: [{ name: 'p', phase: 'Running', createdAt: '' }], startTime: '2026-03-10T11:59:40Z' };
    const decision = decide(gathered({ job: foundJob('by-hand', view) }));
    expect(decision.status).toMatchObject({ phase: 'Running', jobName: 'by-hand', startTime: '2026-03-10T11:59:40Z' });
    expect(decision.create).toBeUndefined();
  });

  test('has completed with it, and is let go', () => {
    const done = run({
      metadata: { finalizers: ['tidemark.dev/running-job', 'other/finalizer'] },
      status: { phase: 'Running', jobName: 'by-hand', report: report('Succeeded', 'BackupStored') },
    });
    const decision = decide(gathered({ run: done, job: foundJob('by-hand', { finished: ended('Complete') }) }));
    expect(brief(decision)).toEqual(['Completed', 'BackupStored', undefined]);
    expect(decision.status?.completionTime).toBe('2026-03-10T11:59:59Z');
    expect(decision.finalizers).toEqual(['other/finalizer']);
    expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'BackupStored' }]);
  });

  test('keeps the finalizer of its stored backup where deletion is to delete that', () => {
    const decision = decide(gathered({ run: run({ spec: { deletionPolicy: 'Delete' } }) }));
    expect(decision.finalizers).toEqual(['tidemark.dev/running-job', 'tidemark.dev/stored-backup']);
  });
});

describe('a run whose Job the cache does not show', () => {
  const had = run({ status: { phase: 'Pending', jobName: 'by-hand' } });
  test('is as it was while the API server has the Job', () => {
    expect(brief(decide(gathered({ run: had, jobExists: true })))).toEqual(['Pending', 'Starting', 2_000]);
    const running = run({ status: { phase: 'Running', jobName: 'by-hand' } });
    expect(brief(decide(gathered({ run: running, jobExists: true })))).toEqual(['Running', 'Running', 2_000]);
  });

  test('is stopping while its pod lives, then lost; and is never started twice', () => {
    expect(reason(decide(gathered({ run: had, activePods: [pod('p')] })))).toBe('Stopping');
    const lost = decide(gathered({ run: had }));
    expect(brief(lost)).toEqual(['Failed', 'JobLost', undefined]);
    expect(lost.create).toBeUndefined();
  });

  test('is lost too where a schedule made it', () => {
    expect(reason(decide(gathered({ run: run({ metadata: scheduledMark }) })))).toBe('JobLost');
  });
});

describe('a cancelled run', () => {
  const cancelled = (status?: Readonly<Record<string, unknown>>) =>
    run({ spec: { cancel: true }, ...(status === undefined ? {} : { status }) });

  test('without a Job is cancelled at once', () => {
    const decision = decide(gathered({ run: cancelled() }));
    expect(brief(decision)).toEqual(['Cancelled', 'Cancelled', undefined]);
    expect(decision.create).toBeUndefined();
    expect(decision.events).toMatchObject([{ type: 'Normal' }]);
  });

  test('loses its Job, and waits for the pods', () => {
    const decision = decide(gathered({ run: cancelled(), job: foundJob('by-hand') }));
    expect([reason(decision), decision.removeJob]).toEqual(['Cancelling', true]);
    expect(reason(decide(gathered({ run: cancelled({ jobName: 'by-hand' }), activePods: [pod('p')] })))).toBe(
      'Cancelling',
    );
  });

  test('waits for a Job that was just made', () => {
    const decision = decide(gathered({ run: cancelled({ jobName: 'by-hand' }), jobExists: true }));
    expect(brief(decision)).toEqual(['Running', 'Cancelling', 2_000]);
  });

  test('that had completed has completed', () => {
    const done = cancelled({ jobName: 'by-hand', report: report('Succeeded', 'BackupStored') });
    const job = foundJob('by-hand', { finished: ended('Complete') });
    expect(decide(gathered({ run: done, job })).status?.phase).toBe('Completed');
    expect(decide(gathered({ run: done })).status?.phase).toBe('Completed');
  });
});

test.each(['Completed', 'Failed', 'Cancelled', 'Expired'])('%s is final, whatever is heard later', (phase) => {
  const over = run({ metadata: { finalizers: ['tidemark.dev/running-job'] }, status: { phase } });
  const decision = decide(gathered({ run: over, job: foundJob('by-hand'), policy: undefined }));
  expect(decision).toMatchObject({
    status: undefined,
    create: undefined,
    removeJob: false,
    events: [],
    finalizers: [],
  });
});

test('a Job that was not made is told of', () => {
  const waiting = decideUnmade(gathered(), 'waiting');
  expect(brief(waiting)).toEqual(['Pending', 'Starting', 2_000]);
  expect(waiting.status?.jobName).toBeUndefined();
  const taken = decideUnmade(gathered(), refused('JobNameTaken', 'taken'));
  expect(brief(taken)).toEqual(['Failed', 'JobNameTaken', undefined]);
  expect(brief(decideUnmade(gathered(), missing('JobRefused', 'quota')))).toEqual(['Pending', 'JobRefused', 5_000]);
});

test('a schedule’s run has its Job’s name, a hand-made one’s Job is of its own', () => {
  expect(runJobName(run({ name: 'restore-x', metadata: scheduledMark }))).toBe('restore-x');
  expect(runJobName(run({ name: 'restore-x' }))).not.toBe('restore-x');
});

describe('a backup without some of its databases', () => {
  const report = { outcome: 'Failed', reason: 'DatabasesFailed', message: '1 of 2 databases …', retryable: false };
  const status = {
    jobName: 'by-hand',
    backupID: '20260310T115500Z-logical',
    checksum: 'sha256:0',
    repositories: [{ name: 'store', state: 'Stored', path: 'p', message: 'Without b.' }],
    databases: [
      { name: 'b', state: 'Failed', message: 'no right' },
      { name: 'a', state: 'Stored', storedBytes: '1000' },
    ],
    globals: { storedBytes: '10', withPasswords: false },
    report,
  };

  test('is a failure that says what is stored, and warns of what it lacks beside', () => {
    const decision = decide(
      gathered({ run: run({ status }), job: foundJob('by-hand', { finished: ended('Failed') }) }),
    );
    expect(decision.status).toMatchObject({ phase: 'Failed', error: report.message });
    expect(decision.status?.conditions.map(({ type, status: is }) => `${type} ${is}`)).toEqual([
      'Succeeded False',
      'Stalled True',
      'GlobalsComplete False',
    ]);
    expect(decision.events.map(({ reason: why }) => why)).toEqual(['DatabasesFailed', 'RolesWithoutPasswords']);
  });
});
