import { describe, expect, test } from 'vitest';
import { missing, refused } from '../../../../src/controllers/refusal.ts';
import {
  type Decision,
  decide,
  decideUnmade,
  type Gathered,
} from '../../../../src/controllers/restore-request/decide.ts';
import {
  type Lookup,
  newestOf,
  resolveSource,
  wordOnLatest,
} from '../../../../src/controllers/restore-request/source.ts';
import { agent, ended, foundJob, now, pod, policy, report, repository, restore, run } from '../objects.ts';

const backupID = '20260310T115900Z-abcdef';
const stored = {
  phase: 'Completed',
  backupID,
  repositories: [{ name: 'store', state: 'Stored', path: 'shop/orders/x' }],
};
const source = { repository: { name: 'store', spec: repository().spec }, backup: { backupID } };

function gathered(parts: Partial<Gathered> = {}): Gathered {
  return {
    request: restore(),
    source,
    hosts: ['db.example'],
    account: undefined,
    job: undefined,
    jobExists: false,
    activePods: [],
    agent,
    now,
    ...parts,
  };
}
const brief = ({ status, lookAgainMilliseconds }: Decision) => [
  status?.phase,
  status?.conditions[0]?.reason,
  lookAgainMilliseconds,
];

test('a new restore gets its Job, which is tried once', () => {
  const decision = decide(gathered());
  expect(decision.create).toMatchObject({
    metadata: { name: 'restore-back', ownerReferences: [{ kind: 'RestoreRequest', uid: 'uid-of-back' }] },
    spec: { backoffLimit: 0 },
  });
  expect(decision.status).toMatchObject({ phase: 'Pending', jobName: 'restore-back' });
  expect(decision.finalizers).toEqual(['tidemark.dev/running-job']);
});

test.each<[string, Partial<Gathered>, string, string]>([
  ['a backup that may come', { source: missing('NoBackup', 'none') }, 'Pending', 'NoBackup'],
  ['a backup that failed', { source: refused('SourceNotCompleted', 'failed') }, 'Failed', 'SourceNotCompleted'],
  ['a workload that may come', { hosts: missing('TargetNotFound', 'none') }, 'Pending', 'TargetNotFound'],
  [
    'an account that is not allowed',
    { account: refused('ServiceAccountNotAllowed', 'no') },
    'Failed',
    'ServiceAccountNotAllowed',
  ],
])('%s', (_, parts, phase, reason) => {
  const decision = decide(gathered(parts));
  expect(brief(decision)).toEqual([phase, reason, phase === 'Pending' ? 5_000 : undefined]);
  expect(decision.create).toBeUndefined();
});

test('is what its Job is', () => {
  const request = restore({ status: { jobName: 'restore-back', report: report('Succeeded', 'Restored') } });
  const decision = decide(gathered({ request, job: foundJob('restore-back', { finished: ended('Complete') }) }));
  expect(brief(decision)).toEqual(['Completed', 'Restored', undefined]);
  expect(decision.finalizers).toEqual([]);
});

test('is never done a second time', () => {
  const request = restore({ status: { phase: 'Pending', jobName: 'restore-back' } });
  expect(brief(decide(gathered({ request, jobExists: true })))).toEqual(['Pending', 'Starting', 2_000]);
  expect(brief(decide(gathered({ request, activePods: [pod('p')] })))).toEqual(['Pending', 'Starting', 2_000]);
  const lost = decide(gathered({ request }));
  expect(brief(lost)).toEqual(['Failed', 'JobLost', undefined]);
  expect(lost.create).toBeUndefined();
});

test.each(['Completed', 'Failed', 'Cancelled'])('%s is final', (phase) => {
  const request = restore({ metadata: { finalizers: ['tidemark.dev/running-job'] }, status: { phase } });
  const decision = decide(gathered({ request, job: foundJob('restore-back') }));
  expect(decision).toMatchObject({ status: undefined, create: undefined, removeJob: false, finalizers: [] });
});

test('that is cancelled ends its Job, waits for the pods, and is cancelled', () => {
  const request = (status?: object) =>
    restore({ spec: { cancel: true }, ...(status === undefined ? {} : { status: { ...status } }) });
  expect(decide(gathered({ request: request(), job: foundJob('restore-back') })).removeJob).toBe(true);
  expect(brief(decide(gathered({ request: request({ jobName: 'x' }), jobExists: true })))[1]).toBe('Cancelling');
  expect(brief(decide(gathered({ request: request(), activePods: [pod('p')] })))[1]).toBe('Cancelling');
  expect(brief(decide(gathered({ request: request() })))[1]).toBe('Cancelled');
});

test('that is deleted ends its Job before it goes', () => {
  const request = restore({ metadata: { deletionTimestamp: 'now', finalizers: ['tidemark.dev/running-job'] } });
  expect(decide(gathered({ request, job: foundJob('r') }))).toMatchObject({
    removeJob: true,
    finalizers: ['tidemark.dev/running-job'],
  });
  expect(decide(gathered({ request, activePods: [pod('p')] })).finalizers).toEqual(['tidemark.dev/running-job']);
  expect(decide(gathered({ request })).finalizers).toEqual([]);
});

test('whose Job was not made says so', () => {
  expect(brief(decideUnmade(gathered(), refused('JobNameTaken', 'taken')))).toEqual([
    'Failed',
    'JobNameTaken',
    undefined,
  ]);
  expect(brief(decideUnmade(gathered(), 'waiting'))).toEqual(['Pending', 'Starting', 2_000]);
});

describe('the source', () => {
  const lookup = (parts: Partial<Lookup> = {}): Lookup => ({
    run: () => run({ status: stored }),
    runsOf: () => [],
    runOfBackup: () => undefined,
    policy: () => policy(),
    repository: (name) => (name === 'store' ? repository() : undefined),
    ...parts,
  });
  const latest = restore({ spec: { source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } } } });

  test('is what the run stored, and where', () => {
    expect(resolveSource(restore(), lookup())).toEqual({ ...source, backup: { backupID, path: 'shop/orders/x' } });
    const checksum = `sha256:${'0'.repeat(64)}`;
    const known = run({ status: { ...stored, checksum } });
    expect(resolveSource(restore(), lookup({ run: () => known }))).toMatchObject({ backup: { backupID, checksum } });
  });

  test('is the newest completed backup of a policy', () => {
    const runs = [
      run({ name: 'old', status: { ...stored, backupID: '20260101T000000Z-aaaaaa' } }),
      run({ name: 'new', status: stored }),
      run({ name: 'failed', status: { ...stored, phase: 'Failed', backupID: '20270101T000000Z-aaaaaa' } }),
    ];
    expect(resolveSource(latest, lookup({ runsOf: () => runs }))).toMatchObject({ backup: { backupID } });
  });

  test('passes over what failed its verification, and says so; where all have failed, it takes the newest and says that', () => {
    const failed = [
      { type: 'Verified', status: 'False', reason: 'VerificationFailed', message: '', lastTransitionTime: '' },
    ];
    const good = run({ name: 'good', status: { ...stored, backupID: '20260309T000000Z-aaaaaa' } });
    const bad = run({ name: 'bad', status: { ...stored, conditions: failed } });
    const both = lookup({ runsOf: () => [bad, good] });
    expect(resolveSource(latest, both)).toMatchObject({ backup: { backupID: '20260309T000000Z-aaaaaa' } });
    expect(wordOnLatest(good, 'orders', 'Logical', both)).toBe(
      `; ${backupID} failed verification and was passed over for 20260309T000000Z-aaaaaa`,
    );
    const alone = lookup({ runsOf: () => [bad] });
    expect(resolveSource(latest, alone)).toMatchObject({ backup: { backupID } });
    expect(wordOnLatest(bad, 'orders', 'Logical', alone)).toMatch(/failed its verification, and there is no other$/);
    expect(wordOnLatest(good, 'orders', 'Logical', lookup({ runsOf: () => [good] }))).toBe('');
    expect(decide(gathered({ word: '; x failed' })).events).toMatchObject([{ reason: 'FailedVerification' }]);
  });

  test('is read from a repository for reading only, too', () => {
    const readOnly = repository({ spec: { volume: { claimName: 'c' }, accessMode: 'ReadOnly' } });
    expect(resolveSource(restore(), lookup({ repository: () => readOnly }))).toMatchObject({
      repository: { name: 'store' },
    });
  });

  test('is a run that failed for some databases only, by its name, and never as the latest', () => {
    const kept = run({
      status: {
        phase: 'Failed',
        backupID,
        databases: [
          { name: 'shop', state: 'Stored' },
          { name: 'lost', state: 'Failed' },
        ],
        repositories: [{ name: 'store', path: 'a/b', state: 'Stored' }],
      },
    });
    expect(resolveSource(restore(), lookup({ run: () => kept }))).toMatchObject({ backup: { backupID, path: 'a/b' } });
    expect(newestOf('orders', 'Logical', lookup({ runsOf: () => [kept] }))).toBeUndefined();
  });

  test.each<[string, Partial<Lookup>, string, boolean]>([
    ['no run', { run: () => undefined }, 'BackupRunNotFound', true],
    ['a run at work', { run: () => run({ status: { phase: 'Running' } }) }, 'SourceNotCompleted', true],
    ['a run that failed', { run: () => run({ status: { phase: 'Failed' } }) }, 'SourceNotCompleted', false],
    ['a run that retention has expired', { run: () => run({ status: { phase: 'Expired' } }) }, 'SourceExpired', false],
    [
      'a run that stored nothing',
      { run: () => run({ status: { phase: 'Completed', backupID } }) },
      'SourceNotStored',
      false,
    ],
    ['no repository', { repository: () => undefined }, 'RepositoryNotFound', true],
  ])('of %s', (_, parts, reason, mayCome) => {
    expect(resolveSource(restore(), lookup(parts))).toMatchObject({ reason, mayCome });
  });

  test('of a policy without backups, or of none', () => {
    expect(resolveSource(latest, lookup())).toMatchObject({ reason: 'NoBackup' });
    expect(resolveSource(latest, lookup({ policy: () => undefined }))).toMatchObject({ reason: 'PolicyNotFound' });
  });
});
