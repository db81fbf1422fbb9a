import { describe, expect, test } from 'vitest';
import {
  decideCopies,
  type GatheredCopies,
  mostAttempts,
  pauseAfter,
} from '../../../../src/controllers/backup-run/catch-up/decide.ts';
import { task as taskSchema } from '../../../../src/domain/task.ts';
import { agent, condition, ended, foundJob, now, policy, ready, repository, run } from '../objects.ts';

const path = 'shop/orders/7312/backups/20260310T115900Z-logical';
const entries = [
  { name: 'store', state: 'Stored', path, checksum: 'sha256:a' },
  { name: 'other', state: 'Failed', reason: 'StoreFull', message: 'full' },
];

function status(change: object = {}) {
  return {
    phase: 'Failed',
    error: 'not everywhere',
    completionTime: '2026-03-10T11:59:59Z',
    backupID: '20260310T115900Z-logical',
    repositories: entries,
    conditions: [condition('Succeeded', 'False', 'StoredInSome'), condition('SizeAsExpected', 'True', 'AsBefore')],
    ...change,
  };
}

function gathered(parts: Partial<GatheredCopies> = {}): GatheredCopies {
  const volume = { claimName: 'backups' };
  return {
    run: run({ status: status() }),
    policy: policy({ spec: { repositoryRefs: [{ name: 'store' }, { name: 'other' }] } }),
    repositories: new Map([
      ['store', repository({ name: 'store', spec: { volume }, status: ready })],
      ['other', repository({ name: 'other', spec: { volume: { claimName: 'others' } }, status: ready })],
    ]),
    others: [],
    job: undefined,
    isBusy: false,
    agent,
    now,
    ...parts,
  };
}

function taskOf(decision: ReturnType<typeof decideCopies>) {
  const spec = decision.create?.spec as {
    template: { spec: { containers: [{ env: { name: string; value: string }[] }] } };
  };
  const text = spec.template.spec.containers[0].env.find(({ name }) => name === 'TIDEMARK_TASK')?.value ?? '';
  return taskSchema.parse(JSON.parse(text));
}

test('a repository that is Ready again gets what it missed by a Job that copies', () => {
  const decision = decideCopies(gathered());
  expect(decision.create).toMatchObject({
    metadata: { name: 'copy-orders', ownerReferences: [{ kind: 'BackupRun', uid: 'uid-of-by-hand' }] },
  });
  expect(taskOf(decision)).toMatchObject({
    action: 'copy',
    run: { name: 'by-hand' },
    repositories: [{ name: 'other' }, { name: 'store' }],
    source: { namespace: 'shop', policy: 'orders', systemIdentifier: '7312' },
    backups: ['20260310T115900Z-logical'],
    wal: false,
  });
  expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'Copying' }]);
  expect(decision.status).toMatchObject({ phase: 'Failed', catchUp: { repository: 'other' } });
});

test('identities are in its pod only where the backup is to be encrypted for others', () => {
  const age = (recipient: string) => ({ age: { recipients: [recipient], identitySecretRef: { name: 'i', key: 'k' } } });
  const key = (letter: string) => `age1${letter.repeat(58)}`;
  const volume = { claimName: 'backups' };
  const repositories = (one: string, other: string) =>
    new Map([
      ['store', repository({ name: 'store', spec: { volume, encryption: age(one) }, status: ready })],
      ['other', repository({ name: 'other', spec: { volume, encryption: age(other) }, status: ready })],
    ]);
  const identities = (one: string, other: string) =>
    JSON.stringify(decideCopies(gathered({ repositories: repositories(one, other) })).create).includes('-identity');
  expect(identities(key('q'), key('q'))).toBe(false);
  expect(identities(key('q'), key('p'))).toBe(true);
});

describe('nothing is started', () => {
  const unready = { conditions: [condition('Ready', 'False', 'StoreUnreachable')] };
  const away = (name: string) => {
    const { repositories } = gathered();
    return new Map([...repositories, [name, repository({ name, status: unready })]]);
  };
  test.each<[string, Partial<GatheredCopies>]>([
    ['while the repository that lacks it is not Ready', { repositories: away('other') }],
    ['while no repository that has it is Ready', { repositories: away('store') }],
    ['while another run is copied', { isBusy: true }],
    ['while its Job runs', { job: foundJob('copy-orders') }],
    [
      'while the policy is suspended',
      { policy: policy({ spec: { suspend: true, repositoryRefs: [{ name: 'store' }, { name: 'other' }] } }) },
    ],
    ['for a run that failed for another cause', { run: run({ status: status({ conditions: [] }) }) }],
    [
      'before the pause is over',
      { run: run({ status: status({ catchUp: { attempts: 3, lastTime: '2026-03-10T11:59:40Z' } }) }) },
    ],
    [
      'after the last try',
      { run: run({ status: status({ catchUp: { attempts: mostAttempts, lastTime: '2026-03-10T11:59:40Z' } }) }) },
    ],
  ])('%s', (_, parts) => {
    expect(decideCopies(gathered(parts))).toMatchObject({ create: undefined, events: [] });
  });
});

test('a Job that failed is told with its cause, and the next try waits longer each time', () => {
  const termination = { outcome: 'Failed', reason: 'AccessDenied', message: 'may not write there.' } as const;
  const pods = [{ name: 'p', phase: 'Failed', createdAt: '', termination }];
  const job = foundJob('copy-orders', { finished: ended('Failed'), pods });
  const catchUp = { repository: 'other', attempts: 1, lastTime: '2026-03-10T11:00:00Z' };
  const decision = decideCopies(gathered({ job, run: run({ status: status({ catchUp }) }) }));
  expect(decision).toMatchObject({ removeJob: true, lookAgainMilliseconds: 120_000 });
  expect(decision.status).toMatchObject({
    phase: 'Failed',
    catchUp: { attempts: 2, lastTime: '2026-03-10T12:00:00Z' },
  });
  expect(decision.events[0]?.note).toContain('other: may not write there. Try 2 of 48');
  expect([1, 2, 3, 20].map(pauseAfter)).toEqual([60_000, 120_000, 240_000, 3_600_000]);
});

test('a repository that shows that it works is tried at once, however often it failed before', () => {
  const catchUp = { repository: 'other', attempts: mostAttempts, lastTime: '2026-03-10T11:59:50Z' };
  const tired = run({ status: status({ catchUp }) });
  const later = run({
    name: 'later',
    status: { completionTime: '2026-03-10T11:59:55Z', repositories: [{ name: 'other', state: 'Stored', path }] },
  });
  expect(decideCopies(gathered({ run: tired })).create).toBeUndefined();
  const decision = decideCopies(gathered({ run: tired, others: [later] }));
  expect(decision.create).toBeDefined();
  expect(decision.status).toMatchObject({ catchUp: { attempts: 0 } });
});

test('when every repository has it, the run is Completed, says how, and keeps its other conditions', () => {
  const copied = { name: 'other', state: 'Stored', path, reason: 'Copied', message: 'Copied from store.' };
  const job = foundJob('copy-orders', { finished: ended('Complete') });
  const decision = decideCopies(
    gathered({ job, run: run({ status: status({ repositories: [entries[0], copied] }) }) }),
  );
  expect(decision.status).toMatchObject({ phase: 'Completed', error: '', completionTime: '2026-03-10T11:59:59Z' });
  expect(decision.status?.conditions).toMatchObject([
    { type: 'Succeeded', status: 'True', reason: 'CaughtUp' },
    { type: 'SizeAsExpected' },
  ]);
  expect(decision.events).toMatchObject([{ type: 'Normal', reason: 'CaughtUp' }]);
  expect(decision.removeJob).toBe(true);
});

test('a repository that was taken out of the policy is not waited for', () => {
  const decision = decideCopies(gathered({ policy: policy() }));
  expect(decision.status).toMatchObject({ phase: 'Completed' });
});

test('a Job that ended well whose word did not arrive is made once more, after it was waited for', () => {
  const job = foundJob('copy-orders', { finished: ended('Complete') });
  const catchUp = { repository: 'other' };
  const early = decideCopies(gathered({ job, run: run({ status: status({ catchUp }) }) }));
  expect(early).toMatchObject({ removeJob: false, lookAgainMilliseconds: 5000 });
  const later = new Date(now.getTime() + 60_000);
  expect(decideCopies(gathered({ job, now: later, run: run({ status: status({ catchUp }) }) }))).toMatchObject({
    removeJob: true,
    status: { catchUp: { attempts: 1 } },
  });
});
