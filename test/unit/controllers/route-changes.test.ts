import { beforeEach, expect, test } from 'vitest';
import type { Caches } from '../../../src/controllers/context.ts';
import { routeChanges } from '../../../src/controllers/route-changes.ts';
import { job, pod, policy, recovery, repository, run } from './objects.ts';

type Listener = (before: object | undefined, after: object | undefined) => void;

const kinds = ['policies', 'runs', 'restores', 'recoveries', 'repositories', 'jobs', 'cronJobs', 'pods'] as const;
let change: Record<(typeof kinds)[number], Listener>;
let queued: string[];

beforeEach(() => {
  change = {} as typeof change;
  queued = [];
  const dependents = { runs: [run({ name: 'waits' })], policies: [policy()] } as Record<string, readonly object[]>;
  const caches = Object.fromEntries(
    kinds.map((kind) => [
      kind,
      {
        onChange: (listener: Listener) => {
          change[kind] = listener;
        },
        byIndex: () => dependents[kind] ?? [],
        get: () => undefined,
      },
    ]),
  ) as unknown as Caches;
  const queue = (name: string) => ({ add: (key: string) => void queued.push(`${name} ${key}`) });
  routeChanges(caches, {
    policies: queue('policies'),
    runs: queue('runs'),
    restores: queue('restores'),
    recoveries: queue('recoveries'),
    repositories: queue('repositories'),
    jobs: queue('jobs'),
  });
});

test('a policy concerns itself and its runs', () => {
  change.policies(undefined, policy());
  expect(queued).toEqual(['policies shop/orders', 'runs shop/waits']);
});

test('a run’s progress concerns the run alone', () => {
  const at = (percent: number) => run({ status: { phase: 'Running', progress: { percent } } });
  change.runs(at(1), at(2));
  expect(queued).toEqual(['runs shop/by-hand']);
});

test('a run’s end concerns its policy, who waits for it, and where it is stored', () => {
  const stored = { phase: 'Completed', repositories: [{ name: 'store', state: 'Stored' }] };
  change.runs(run({ status: { phase: 'Running' } }), run({ status: stored }));
  expect(queued).toEqual(['runs shop/by-hand', 'policies shop/orders', 'runs shop/waits', 'repositories shop/store']);
});

test('a run that goes concerns its policy', () => {
  change.runs(run(), undefined);
  expect(queued).toContain('policies shop/orders');
});

test('a repository concerns the policies that write to it', () => {
  change.repositories(undefined, repository());
  expect(queued).toEqual(['repositories shop/store', 'policies shop/orders']);
});

test('a Job concerns its owner, a pod without a Job what its labels name', () => {
  change.jobs(undefined, job('by-hand'));
  expect(queued).toEqual(['jobs shop/by-hand', 'runs shop/by-hand']);
  queued = [];
  const labels = { 'batch.kubernetes.io/job-name': 'restore-back', 'tidemark.dev/restore': 'back' };
  change.pods(pod('p', { metadata: { labels } }), undefined);
  expect(queued).toEqual(['runs shop/restore-back', 'restores shop/back']);
});

test('a recovery concerns itself and the restore that it is done for; its Job and pods concern it', () => {
  const owner = (kind: string, name: string) => ({ ownerReferences: [{ apiVersion: 'x', kind, name, uid: 'u' }] });
  change.recoveries(undefined, recovery({ metadata: owner('RestoreRequest', 'back') }));
  expect(queued).toEqual(['recoveries shop/before', 'restores shop/back']);
  queued = [];
  change.jobs(undefined, job('before-plan', { metadata: owner('PitrRecovery', 'before') }));
  expect(queued).toEqual(['jobs shop/before-plan', 'recoveries shop/before']);
  queued = [];
  const labels = { 'batch.kubernetes.io/job-name': 'before-plan', 'tidemark.dev/recovery': 'before' };
  change.pods(pod('p', { metadata: { labels } }), undefined);
  expect(queued).toContain('recoveries shop/before');
});
