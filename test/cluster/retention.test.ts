import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RetentionStatus } from '../../src/api/retention.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

interface Told {
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly name: string };
}

describe('retention', () => {
  let scenario: Scenario;
  const rules = { keepLast: 1, minBackups: 1 };
  const backupIDs = new Map<string, string>();

  beforeAll(async () => {
    scenario = await startScenario('expire');
    await scenario.postgres();
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(scenario.namespace));
    for (const name of ['first', 'second']) await backUp(name);
  });

  test('plans first, says it, and deletes nothing', async () => {
    explainFailure(scenario);
    await scenario.apply(logicalPolicy(scenario.namespace, { retention: rules }));
    const policy = await scenario.condition('backuppolicy', 'orders', {
      type: 'RetentionApplied',
      status: 'True',
      reason: 'Applied',
    });
    const { plan = [], repositories } = retentionOf(policy.status);
    expect(plan.map(({ run, action }) => [run, action])).toEqual([
      ['first', 'Delete'],
      ['second', 'Keep'],
    ]);
    expect(Date.parse(plan[0]?.dueTime ?? '')).toBeGreaterThan(Date.now() + 50 * 60_000);
    expect(repositories).toMatchObject([{ name: 'offsite', backups: 2, keep: 1, delete: 1 }]);
    expect(await stored()).toEqual(new Set([...backupIDs.values()]));
  });

  test('deletes what was planned when its time has come, once, and tells it', async () => {
    explainFailure(scenario);
    await letTimePass();
    await backUp('third');
    await until('the backup to be expired', async () => (await phaseOf('first')) === 'Expired');
    expect(await stored()).toEqual(new Set([backupIDs.get('second'), backupIDs.get('third')]));
    await until('the deletion to be told', async () => {
      const events = await scenario.kubectl.list<Told>('events.events.k8s.io', scenario.namespace);
      return events.some(
        ({ reason, note, regarding }) =>
          reason === 'BackupExpired' && regarding.name === 'orders' && note.includes(backupIDs.get('first') ?? '?'),
      );
    });
    const { plan = [], deleted } = retentionOf(
      (await scenario.kubectl.get('backuppolicy', 'orders', scenario.namespace))?.status,
    );
    expect(deleted).toMatchObject([{ run: 'first', backupID: backupIDs.get('first') }]);
    expect(plan.find(({ run }) => run === 'second')).toMatchObject({ action: 'Delete' });
    expect(await phaseOf('second')).toBe('Completed');
  });

  test('what is expired cannot be restored, and goes without another deletion', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await scenario.apply(restoreRequest(namespace, 'too-late', { source: { backupRunRef: { name: 'first' } } }));
    expect((await scenario.finished('restorerequest', 'too-late')).status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', reason: 'SourceExpired' }, { type: 'Stalled' }],
    });
    await kubectl.run(['delete', 'backuprun', 'first', '--timeout=60s'], { namespace });
    expect(await kubectl.get('job', 'delete-first', namespace)).toBeUndefined();
  });

  test('a hold keeps what is due', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await kubectl.run(['patch', 'backuprun', 'second', '--type=merge', '-p', '{"spec":{"hold":true}}'], { namespace });
    await letTimePass();
    const before = retentionOf((await kubectl.get('backuppolicy', 'orders', namespace))?.status).plannedTime ?? '';
    await backUp('fourth');
    const policy = await until('the next plan', async () => {
      const found = await kubectl.get('backuppolicy', 'orders', namespace);
      const { plannedTime = '', plan = [], report } = retentionOf(found?.status);
      return (
        plannedTime > before && report?.outcome === 'Succeeded' && plan.some(({ run }) => run === 'fourth') && found
      );
    });
    expect(retentionOf(policy.status).plan?.find(({ run }) => run === 'second')).toMatchObject({
      action: 'Keep',
      reason: 'hold',
    });
    expect(await stored()).toContain(backupIDs.get('second'));
  });

  test('a suspended policy deletes nothing, and says so', async () => {
    explainFailure(scenario);
    await scenario.apply(logicalPolicy(scenario.namespace, { retention: rules, suspend: true }));
    await scenario.condition('backuppolicy', 'orders', {
      type: 'RetentionApplied',
      status: 'False',
      reason: 'Suspended',
    });
  });

  async function backUp(name: string): Promise<void> {
    // One that may not even delete its backup a second time.
    await scenario.apply(backupRun(scenario.namespace, name, { deletionPolicy: 'Delete' }));
    const { status } = await scenario.finished('backuprun', name);
    expect(status?.phase).toBe('Completed');
    backupIDs.set(name, status?.backupID ?? '');
  }

  async function phaseOf(name: string): Promise<string | undefined> {
    return (await scenario.kubectl.get('backuprun', name, scenario.namespace))?.status?.phase;
  }

  /** As if the plan had been published long ago; the time alone is changed, so that the agent goes on owning the rest. */
  async function letTimePass(): Promise<void> {
    const { namespace, kubectl } = scenario;
    const policy = await kubectl.get('backuppolicy', 'orders', namespace);
    const plan = (retentionOf(policy?.status).plan ?? []).map((entry) =>
      entry.dueTime === undefined ? entry : { ...entry, dueTime: '2026-01-01T00:00:00Z' },
    );
    const patch = JSON.stringify({ status: { retention: { plan } } });
    await kubectl.run(['patch', 'backuppolicy', 'orders', '--subresource=status', '--type=merge', '-p', patch], {
      namespace,
    });
  }

  /** The IDs of the backups of which anything is left. */
  async function stored(): Promise<ReadonlySet<string | undefined>> {
    const { client, close } = await scenario.s3.connect();
    try {
      const where = { Bucket: scenario.bucket, Prefix: `test/${scenario.namespace}/orders/` };
      const { Contents = [] } = await client.send(new ListObjectsV2Command(where));
      return new Set(Contents.map(({ Key = '' }) => /backups\/([^/]+)\//.exec(Key)?.[1]));
    } finally {
      await close();
    }
  }
});

function retentionOf(status: Readonly<Record<string, unknown>> | undefined): RetentionStatus {
  return (status?.['retention'] ?? {}) as RetentionStatus;
}
