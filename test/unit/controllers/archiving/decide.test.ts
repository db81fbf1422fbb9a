import { describe, expect, test } from 'vitest';
import { decideArchiving } from '../../../../src/controllers/archiving/decide.ts';
import { missing } from '../../../../src/controllers/refusal.ts';
import type { Desired } from '../../../../src/kube/objects.ts';
import { policy } from '../objects.ts';
import {
  archiving,
  finalizers,
  gathered,
  sharedClaim,
  source,
  wal,
  watcherOf,
  withSidecar,
  workload,
} from './things.ts';

const fresh = archiving({ metadata: { finalizers: [] } });
const set = archiving({ wal: wal() });
const restartNeeded = archiving({ wal: wal({ setting: { state: 'RestartNeeded' } }) });
const removed = wal({ setting: { state: 'Removed' } });
const modeIn = (watcher: Desired | 'remove' | undefined) =>
  typeof watcher === 'object'
    ? (watcher.metadata['annotations'] as Readonly<Record<string, string>>)['tidemark.dev/wal-mode']
    : watcher;
const archived = withSidecar(gathered({ policy: set }));

describe('archiving begins', () => {
  test('with the watcher and the finalizer, and leaves the pods alone until the server is set', () => {
    const decision = decideArchiving(gathered({ policy: fresh }));
    expect(modeIn(decision.watcher)).toBe('Archive');
    expect(decision).toMatchObject({ finalizer: true, workload: undefined, refusal: undefined });
  });

  test.each([
    ['the settings are written', restartNeeded],
    ['the server has them already', set],
  ])('in the pods when %s', (_, of) => {
    const { workload: change, lookAgainSoon } = decideArchiving(
      gathered({ policy: of, watcher: watcherOf('Archive') }),
    );
    expect(change?.patch).toMatchObject({ kind: 'StatefulSet', metadata: { name: 'orders-db' } });
    expect(change?.why).toBe('archive_mode takes effect');
    expect(lookAgainSoon).toBe(true);
  });

  test.each([
    [
      'what was said is old',
      wal({ report: { healthy: true, reason: 'x', message: '', time: '2026-03-10T11:00:00Z' } }),
    ],
    ['the server refuses', wal({ setting: { state: 'Refused' } })],
    [
      'the last look did not reach the server: what was found before may have been another server’s',
      wal({ report: { healthy: false, reason: 'ConnectionRefused', message: '', time: '2026-03-10T11:59:10Z' } }),
    ],
    ['the settings were seen in another server', wal({ setting: { state: 'Set', systemIdentifier: '42' } })],
    [
      'it is not said in which server the settings were seen',
      { ...wal(), setting: { state: 'Set' as const, time: wal().report?.time } },
    ],
    ['the repository did not answer', { ...wal(), setting: { state: 'RestartNeeded' as const } }],
    ['it is not known whose WAL it is', { setting: wal().setting, report: wal().report }],
    ['nothing was said', undefined],
  ])('not in the pods while %s', (_, said) => {
    const of = said === undefined ? archiving() : archiving({ wal: said });
    expect(decideArchiving(gathered({ policy: of })).workload).toBeUndefined();
  });

  test('not in the pods of a workload that was made after the last word on the server of its name', () => {
    const made = workload();
    const anew = { ...made, metadata: { ...made.metadata, creationTimestamp: '2999-01-01T00:00:00Z' } };
    const decision = decideArchiving(gathered({ policy: set, workload: anew }));
    expect(decision).toMatchObject({ workload: undefined, lookAgainSoon: true });
  });

  test('in the pods of a workload in whose server the settings were seen, whatever the archive lacks', () => {
    const report = { healthy: false, reason: 'HistoryMissing', message: '', time: wal().report?.time ?? '' };
    const made = workload();
    const earlier = { ...made, metadata: { ...made.metadata, creationTimestamp: '2026-03-10T11:59:00Z' } };
    const of = archiving({ wal: wal({ report }) });
    expect(decideArchiving(gathered({ policy: of, workload: earlier })).workload).toBeDefined();
  });

  test('in one restart: a workload that has the sidecar is left alone', () => {
    const decision = decideArchiving(gathered({ policy: set, workload: archived, watcher: watcherOf('Archive') }));
    expect(decision).toMatchObject({ workload: undefined, rollout: { state: 'Done' }, lookAgainSoon: false });
  });

  test('anew in the pods when the archive is another', () => {
    const other = archiving({ wal: wal({ systemIdentifier: '42' }) });
    const { workload: change } = decideArchiving(gathered({ policy: other, workload: archived }));
    expect(change?.why).toBe('the archiving sidecar has changed');
  });

  test('without any change of the pods in mode Stream', () => {
    const of = archiving({ mode: 'Stream', wal: wal() });
    const decision = decideArchiving(gathered({ policy: of }));
    expect(modeIn(decision.watcher)).toBe('Stream');
    expect(decision).toMatchObject({ workload: undefined, rollout: undefined, finalizer: true });
  });
});

describe('archiving is refused', () => {
  const pod = { workloadRef: { kind: 'Pod', name: 'orders-db' }, credentialsSecretRef: { name: 'db' } };
  const two = { containers: [{ name: 'one' }, { name: 'two' }] };
  const another = archiving({ name: 'other' });
  const held = withSidecar(gathered({ policy: archiving({ name: 'other', wal: wal() }) }));

  test.each<[string, Parameters<typeof gathered>[0], string]>([
    ['for a Pod', { policy: archiving({ spec: { source: pod } }), workload: undefined }, 'PodCannotChange'],
    ['without a workload', { workload: undefined }, 'TargetNotFound'],
    ['where the server’s container cannot be told', { workload: workload({ pod: two }) }, 'ContainerNotFound'],
    [
      'where the container that is named is not there',
      { policy: archiving({ spec: { source: { ...source, container: 'database' } } }) },
      'ContainerNotFound',
    ],
    ['without a repository', { repositories: [undefined] }, 'RepositoryNotFound'],
    ['without an account', { account: missing('ServiceAccountNotFound', 'no') }, 'ServiceAccountNotFound'],
    ['for a volume of one node', { claims: [{ ...sharedClaim, accessModes: ['ReadWriteOnce'] }] }, 'ClaimNotShared'],
    ['for a volume of one pod', { claims: [{ ...sharedClaim, accessModes: ['ReadWriteOncePod'] }] }, 'ClaimNotShared'],
    ['for a volume that is not there', { claims: [{ ...sharedClaim, accessModes: undefined }] }, 'ClaimNotFound'],
    ['where another policy archives the workload', { workload: held, holder: another }, 'ArchivedByAnother'],
    ['where somebody else has the watcher’s name', { watcher: watcherOf('Archive', 'x') }, 'WatcherNameTaken'],
  ])('%s, and nothing is touched', (_, change, reason) => {
    const decision = decideArchiving(gathered(change));
    expect(decision).toMatchObject({ refusal: { reason }, workload: undefined });
    expect(typeof decision.watcher).not.toBe('object');
  });

  test('and a policy that has set nothing yet may go at once', () => {
    const { finalizer } = decideArchiving(gathered({ policy: fresh, workload: workload({ pod: two }) }));
    expect(finalizer).toBe(false);
    const later = decideArchiving(gathered({ policy: set, workload: workload({ pod: two }) }));
    expect(later.finalizer).toBe(true);
  });

  test('not for a sidecar whose policy is no more: it is replaced', () => {
    const decision = decideArchiving(gathered({ policy: set, workload: held, holder: undefined }));
    expect(decision.refusal).toBeUndefined();
    expect(decision.workload).toBeDefined();
  });
});

describe.each<[string, Parameters<typeof archiving>[0]]>([
  ['is suspended', { spec: { suspend: true } }],
  ['is deleted', { metadata: { finalizers, deletionTimestamp: '2026-03-10T11:59:00Z' } }],
  ['asks for no archive any more', { mode: 'None' }],
])('when a policy %s', (_, change) => {
  test('first the settings are taken back, while the sidecar goes on', () => {
    const of = archiving({ ...change, wal: wal() });
    const decision = decideArchiving(gathered({ policy: of, workload: archived, watcher: watcherOf('Archive') }));
    expect(modeIn(decision.watcher)).toBe('None');
    expect(decision).toMatchObject({ finalizer: true, workload: undefined, lookAgainSoon: true });
    expect(decision.awaited).toBeDefined();
  });

  test('what an earlier watcher said is not taken for the word of this one', () => {
    const of = archiving({ ...change, wal: removed });
    const decision = decideArchiving(gathered({ policy: of, workload: archived, watcher: watcherOf('Archive') }));
    expect(modeIn(decision.watcher)).toBe('None');
  });

  test('then the sidecar goes, with the restart in which that holds', () => {
    const of = archiving({ ...change, wal: removed });
    const decision = decideArchiving(gathered({ policy: of, workload: archived, watcher: watcherOf('None') }));
    expect(decision.workload?.patch).toEqual({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'orders-db', namespace: 'shop' },
    });
    expect(decision).toMatchObject({ finalizer: true, watcher: undefined });
  });

  test('last the watcher and the finalizer', () => {
    const of = archiving({ ...change, wal: removed });
    const decision = decideArchiving(gathered({ policy: of, watcher: watcherOf('None') }));
    expect(decision).toMatchObject({ finalizer: false, watcher: 'remove', workload: undefined });
  });

  test('nothing is taken back from a server that is gone', () => {
    const hosts = missing('TargetNotFound', 'it does not exist');
    const of = archiving({ ...change, wal: wal() });
    expect(decideArchiving(gathered({ policy: of, workload: undefined, hosts }))).toMatchObject({
      finalizer: false,
      watcher: 'remove',
    });
  });

  test('nothing is taken back where a person says so', () => {
    const annotations = { 'tidemark.dev/abandon-archiving': 'true' };
    const parts = { ...change, metadata: { finalizers, ...change?.metadata, annotations } };
    expect(
      decideArchiving(gathered({ policy: archiving({ ...parts, wal: wal() }), workload: archived })),
    ).toMatchObject({
      finalizer: false,
      watcher: 'remove',
      workload: undefined,
      abandoned: expect.stringContaining('StatefulSet orders-db'),
    });
  });

  test('the sidecar of another policy stays', () => {
    const other = archiving({ name: 'other' });
    const held = withSidecar(gathered({ policy: archiving({ name: 'other', wal: wal() }) }));
    const of = archiving({ ...change, wal: removed });
    const around = { policy: of, workload: held, holder: other, watcher: watcherOf('None') };
    expect(decideArchiving(gathered(around))).toMatchObject({ finalizer: false, workload: undefined });
  });

  test('who waits is told for what', () => {
    const report = {
      healthy: false,
      reason: 'ServerUnreachable',
      message: 'It does not answer.',
      time: '2026-03-10T11:59:00Z',
    };
    const of = archiving({ ...change, wal: { report } });
    const { awaited } = decideArchiving(gathered({ policy: of, workload: archived, watcher: watcherOf('None') }));
    expect(awaited).toContain('It does not answer.');
    const refusal = missing('RepositoryNotFound', 'There is no store.');
    const unable = decideArchiving(gathered({ policy: archiving({ ...change, wal: wal() }), account: refusal }));
    expect(unable.awaited).toContain('There is no store.');
  });
});

test('whoever deletes a policy is told how to let it go', () => {
  const of = archiving({ wal: wal(), metadata: { finalizers, deletionTimestamp: '2026-03-10T11:59:00Z' } });
  const { awaited } = decideArchiving(gathered({ policy: of, workload: archived }));
  expect(awaited).toContain('annotate backuppolicy orders tidemark.dev/abandon-archiving=true');
});

test.each(['Archive', 'Stream', 'None'] as const)(
  'a deleted policy of mode %s that set nothing goes at once',
  (mode) => {
    const metadata = { finalizers: [], deletionTimestamp: '2026-03-10T11:59:00Z' };
    expect(decideArchiving(gathered({ policy: archiving({ mode, metadata }) }))).toMatchObject({
      finalizer: false,
      watcher: 'remove',
      workload: undefined,
    });
  },
);

describe('from Archive to Stream', () => {
  const stream = (said: Parameters<typeof wal>[0]) => archiving({ mode: 'Stream', wal: wal(said) });

  test('settings without a sidecar yet are taken back first: at its next start the server would archive nowhere', () => {
    const around = { policy: stream({ setting: { state: 'RestartNeeded' } }), watcher: watcherOf('Archive') };
    expect(modeIn(decideArchiving(gathered(around)).watcher)).toBe('None');
    const said = { policy: stream({ setting: { state: 'RestartNeeded' } }), watcher: watcherOf('None') };
    expect(modeIn(decideArchiving(gathered(said)).watcher)).toBe('None');
  });

  test('then the sidecar, then the receiver begins; the finalizer stays all the while', () => {
    const around = { policy: stream({ setting: { state: 'Removed' } }), watcher: watcherOf('None') };
    const first = decideArchiving(gathered({ ...around, workload: archived }));
    expect(first.workload?.patch).not.toHaveProperty('spec');
    const then = decideArchiving(gathered(around));
    expect(modeIn(then.watcher)).toBe('Stream');
    expect([first.finalizer, then.finalizer]).toEqual([true, true]);
  });
});

test('the slot of a Pod’s server is dropped before its policy goes', () => {
  const pod = { ...source, workloadRef: { kind: 'Pod', name: 'orders-db' } };
  const of = archiving({
    mode: 'Stream',
    spec: { source: pod },
    metadata: { finalizers, deletionTimestamp: '2026-03-10T11:59:00Z' },
    wal: wal(),
  });
  const decision = decideArchiving(gathered({ policy: of, workload: undefined, watcher: watcherOf('Stream') }));
  expect(modeIn(decision.watcher)).toBe('None');
  expect(decision.finalizer).toBe(true);
});

test('a policy that never archived has nothing of it', () => {
  expect(decideArchiving(gathered({ policy: policy(), workload: undefined }))).toMatchObject({
    finalizer: false,
    workload: undefined,
    refusal: undefined,
  });
});
