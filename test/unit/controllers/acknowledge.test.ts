import { describe, expect, test } from 'vitest';
import { acknowledged } from '../../../src/controllers/acknowledge.ts';
import { reconcileRun } from '../../../src/controllers/backup-run/reconcile.ts';
import { reconcileRecovery } from '../../../src/controllers/pitr-recovery/reconcile.ts';
import { reconcileRestore } from '../../../src/controllers/restore-request/reconcile.ts';
import { ownedRunStatus, statusOf } from '../../../src/controllers/run-progress.ts';
import type { Fate } from '../../../src/domain/job-state.ts';
import { FakeCluster } from './fake-cluster.ts';
import { condition, now, policy, recovery, repository, restore, run } from './objects.ts';

const { signal } = new AbortController();
const failed: Fate = { state: 'Failed', reason: 'StoreFull', message: 'there is no room' };
const completed: Fate = { state: 'Completed', reason: 'BackupStored', message: 'stored' };
const ended = (fate: Fate, generation = 1) =>
  run({ metadata: { generation }, status: { ...statusOf(run(), fate, 'by-hand', now), phase: fate.state } });

describe('what has ended', () => {
  test.each([completed, failed])('as this version ends it is left alone: $state', (fate) => {
    expect(acknowledged(ended(fate), ownedRunStatus, now)).toBeUndefined();
  });

  test('and whose spec was changed is acknowledged, with all that was written of it before', () => {
    const status = acknowledged(ended(failed, 2), ownedRunStatus, now);
    expect(status).toMatchObject({
      observedGeneration: 2,
      phase: 'Failed',
      jobName: 'by-hand',
      error: 'there is no room',
      conditions: [
        { type: 'Succeeded', status: 'False', reason: 'StoreFull', observedGeneration: 2 },
        { type: 'Stalled', status: 'True', reason: 'StoreFull' },
      ],
    });
  });

  test('by a version that said nothing of it is told to tools too, beside what else is said', () => {
    const others = [condition('GlobalsComplete', 'True', 'Stored')];
    const status = { phase: 'Failed', conditions: [condition('Succeeded', 'False', 'StoreFull'), ...others] };
    expect(acknowledged(run({ status }), ownedRunStatus, now)).toMatchObject({
      conditions: [{ type: 'Succeeded' }, { type: 'Stalled', reason: 'StoreFull' }, { type: 'GlobalsComplete' }],
    });
    expect(acknowledged(run({ status: { phase: 'Completed' } }), ownedRunStatus, now)).toBeUndefined();
  });
});

describe('an ended object whose spec was changed is acknowledged by its controller, once:', () => {
  const status = (fate: Fate) => ({ ...statusOf(run(), fate, undefined, now), phase: fate.state });
  const changed = { metadata: { generation: 2 }, spec: { cancel: true } };

  test.each([
    ['BackupRun', reconcileRun, { runs: [run({ ...changed, status: status(failed) })] }, 'by-hand'],
    ['RestoreRequest', reconcileRestore, { restores: [restore({ ...changed, status: status(failed) })] }, 'back'],
    ['PitrRecovery', reconcileRecovery, { recoveries: [recovery({ ...changed, status: status(failed) })] }, 'before'],
  ] as const)('a %s', async (_, reconcile, cached, name) => {
    const cluster = new FakeCluster({ policies: [policy()], repositories: [repository()], ...cached });
    await reconcile(cluster.context, 'shop', name, signal);
    expect(cluster.writes).toHaveLength(1);
    expect(cluster.written(`/${name}/status`)).toMatchObject({ status: { observedGeneration: 2, phase: 'Failed' } });
    expect(cluster.events).toEqual([]);
  });

  test('what an agent has written of a restore stays the agent’s', async () => {
    const report = { outcome: 'Failed', reason: 'StoreFull', message: 'there is no room' };
    const told = { ...status(failed), backupID: '1', plan: [{ step: 'one' }], report };
    const cluster = new FakeCluster({ restores: [restore({ ...changed, status: told })] });
    await reconcileRestore(cluster.context, 'shop', 'back', signal);
    const { status: written } = cluster.written('/back/status') as { readonly status: object };
    expect(Object.keys(written)).not.toContain('plan');
  });
});
