import { describe, expect, test } from 'vitest';
import { decidePhysical, isPhysical } from '../../../../src/controllers/restore-request/physical.ts';
import { reconcileRestore } from '../../../../src/controllers/restore-request/reconcile.ts';
import type { Lookup } from '../../../../src/controllers/restore-request/source.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { condition, now, policy, recovery, repository, restore, run } from '../objects.ts';

const backupID = '20260310T115900Z-physical-full';
const base = run({
  name: 'base',
  spec: { method: 'Physical' },
  status: {
    phase: 'Completed',
    backupID,
    repositories: [{ name: 'store', state: 'Stored', path: `shop/orders/1/backups/${backupID}` }],
  },
});
const instance = { name: 'copy', storage: { size: '10Gi' } };
const request = (parts: object = {}, spec: object = {}) =>
  restore({ spec: { source: { backupRunRef: { name: 'base' } }, target: { instance }, ...spec }, ...parts });
const lookup = (change: Partial<Lookup> = {}): Lookup => ({
  run: () => base,
  runsOf: () => [base],
  runOfBackup: () => base,
  policy: () => policy(),
  repository: () => repository(),
  ...change,
});
const owners = [{ apiVersion: 'x', kind: 'RestoreRequest', name: 'back', uid: 'uid-of-back' }];
const child = (status: object = {}, spec: object = {}) =>
  recovery({ name: 'back', metadata: { ownerReferences: owners }, status: { ...status }, spec: { ...spec } });

test.each<[string, object, boolean]>([
  ['a physical run', { backupRunRef: { name: 'base' } }, true],
  ['the latest physical', { latest: { policyRef: { name: 'orders' }, method: 'Physical' } }, true],
  ['the latest logical', { latest: { policyRef: { name: 'orders' }, method: 'Logical' } }, false],
  ['a physical ID', { repository: { repositoryRef: { name: 'store' }, backupID } }, true],
  ['a logical ID', { repository: { repositoryRef: { name: 'store' }, backupID: '20260310T115900Z-logical' } }, false],
])('is one of a whole server: %s', (_, source, physical) => {
  expect(isPhysical(request({}, { source }), lookup())).toBe(physical);
});

describe('a restore of a physical backup', () => {
  test('is a recovery to the backup’s end, that belongs to it', () => {
    const decision = decidePhysical(request({}, { dryRun: true }), undefined, lookup(), now);
    expect(decision.create).toMatchObject({
      kind: 'PitrRecovery',
      metadata: { name: 'back', ownerReferences: [{ kind: 'RestoreRequest', uid: 'uid-of-back', controller: true }] },
      spec: {
        source: { policyRef: { name: 'orders' } },
        recoveryTarget: { targetImmediate: true, backupID },
        target: { instance },
        dryRun: true,
      },
    });
    expect(decision.status).toMatchObject({ phase: 'Pending' });
  });

  test('whose policy is gone reads the repository', () => {
    const decision = decidePhysical(request(), undefined, lookup({ policy: () => undefined }), now);
    expect(decision.create?.['spec']).toMatchObject({
      source: { repository: { repositoryRef: { name: 'store' }, policy: 'orders', namespace: 'shop' } },
    });
  });

  test.each([
    ['of another namespace', { 'tidemark.dev/origin-namespace': 'prod' }, 'prod', '1', undefined],
    ['of a server that the policy protects no more', {}, 'shop', '7', { server: { systemIdentifier: '8' } }],
  ])('of a run that was re-created, %s, is of that server', (_, labels, namespace, systemIdentifier, status) => {
    const path = `${namespace}/orders/${systemIdentifier}/backups/${backupID}`;
    const made = run({
      name: 'base',
      metadata: { labels: { 'tidemark.dev/catalogue': 'store', ...labels } },
      spec: { method: 'Physical' },
      status: {
        phase: 'Completed',
        backupID,
        server: { systemIdentifier },
        repositories: [{ name: 'store', state: 'Stored', path }],
      },
    });
    const found = lookup({ run: () => made, policy: () => policy(status === undefined ? {} : { status }) });
    expect(decidePhysical(request(), undefined, found, now).create?.['spec']).toMatchObject({
      source: { repository: { repositoryRef: { name: 'store' }, policy: 'orders', namespace, systemIdentifier } },
    });
  });

  test('of which nothing but the repository is left is found there by its ID', () => {
    const decision = decidePhysical(
      request({}, { source: { repository: { repositoryRef: { name: 'store' }, backupID } } }),
      undefined,
      lookup({ runOfBackup: () => undefined }),
      now,
    );
    expect(decision.create?.['spec']).toMatchObject({
      source: { repository: { repositoryRef: { name: 'store' } } },
      recoveryTarget: { targetImmediate: true, backupID },
    });
  });

  test.each<[string, object, Partial<Lookup>]>([
    ['WrongTarget', { target: { server: { host: 'db', credentialsSecretRef: { name: 'db' } } } }, {}],
    ['WrongTarget', { databases: [{ name: 'shop' }] }, {}],
    ['SourceNotCompleted', {}, { run: () => ({ ...base, status: { phase: 'Failed' } }) }],
  ])('is refused: %s', (reason, spec, change) => {
    const decision = decidePhysical(request({}, spec), undefined, lookup(change), now);
    expect(decision.create).toBeUndefined();
    expect(decision.status).toMatchObject({ phase: 'Failed', conditions: [{ reason }, { type: 'Stalled' }] });
  });

  test.each([
    ['Pending', 'Pending'],
    ['Preparing', 'Running'],
    ['ReplayingWal', 'Running'],
    ['Completed', 'Completed'],
    ['Failed', 'Failed'],
    ['Cancelled', 'Cancelled'],
  ])('whose recovery is %s is %s', (phase, expected) => {
    const status = {
      phase,
      jobName: 'back-recover',
      completionTime: '2026-03-10T12:30:00Z',
      conditions: [condition('Succeeded', 'Unknown', 'Told', 'as told')],
      plan: { backupID, steps: ['lay the base backup'] },
    };
    const decision = decidePhysical(request(), child(status), lookup(), now);
    expect(decision.status).toMatchObject({
      phase: expected,
      jobName: 'back-recover',
      backupID,
      plan: [{ step: 'lay the base backup' }],
      conditions: expect.arrayContaining([expect.objectContaining({ type: 'Succeeded', reason: 'Told' })]),
      error: expected === 'Failed' ? 'as told' : '',
    });
    if (['Completed', 'Failed', 'Cancelled'].includes(expected))
      expect(decision.status?.completionTime).toBe('2026-03-10T12:30:00Z');
  });

  test('is cancelled by cancelling its recovery', () => {
    const cancelled = request({}, { cancel: true });
    expect(decidePhysical(cancelled, child({ phase: 'ReplayingWal' }), lookup(), now).cancel).toBe(true);
    expect(decidePhysical(cancelled, child({}, { cancel: true }), lookup(), now).cancel).toBe(false);
    expect(decidePhysical(cancelled, undefined, lookup(), now).status).toMatchObject({ phase: 'Cancelled' });
  });

  test('fails where its recovery is gone, or another has its name', () => {
    const running = request({ status: { phase: 'Running' } });
    expect(decidePhysical(running, undefined, lookup(), now).status?.conditions).toMatchObject([
      { reason: 'RecoveryGone' },
      { type: 'Stalled' },
    ]);
    const foreign = decidePhysical(request(), recovery({ name: 'back' }), lookup(), now);
    expect(foreign.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'RecoveryNameTaken' }, { type: 'Stalled' }],
    });
  });

  test('makes its recovery in the cluster, and is not held by a mark of its own', async () => {
    const marked = request({ metadata: { finalizers: ['tidemark.dev/running-job'] } });
    const cluster = new FakeCluster({
      restores: [marked],
      runs: [base],
      policies: [policy()],
      repositories: [repository()],
    });
    await reconcileRestore(cluster.context, 'shop', 'back', new AbortController().signal);
    expect(cluster.writes).toEqual([
      'PATCH restorerequests/back',
      'POST pitrrecoveries',
      'PATCH restorerequests/back/status',
    ]);
  });

  test('whose run was removed meanwhile is still its recovery’s', async () => {
    const cluster = new FakeCluster({
      restores: [request({ status: { phase: 'Running' } })],
      recoveries: [child({ phase: 'Completed' })],
    });
    await reconcileRestore(cluster.context, 'shop', 'back', new AbortController().signal);
    expect(cluster.written('/status')).toMatchObject({ status: { phase: 'Completed' } });
  });
});
