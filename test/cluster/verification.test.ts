import { beforeAll, describe, expect, test } from 'vitest';
import type { BackupPolicyStatus } from '../../src/api/backup-policy.ts';
import type { BackupRunStatus } from '../../src/api/backup-run.ts';
import type { CheckResult } from '../../src/api/checks.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import { physicalRun, pitrRecovery } from '../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

describe('verification', () => {
  let scenario: Scenario;
  const verifying = (expectation: string, more: object = {}) =>
    logicalPolicy(scenario.namespace, {
      physical: { walMethod: 'Stream' },
      verification: {
        cron: '* * * * *',
        assertions: [{ database: 'postgres', query: 'select count(*) from notes', expect: expectation }],
      },
      ...more,
    });
  const statusOf = async <Status>(kind: string, name: string) =>
    (await scenario.kubectl.get(kind, name, scenario.namespace))?.status as Status | undefined;

  beforeAll(async () => {
    scenario = await startScenario('verify');
    const postgres = await scenario.postgres();
    await postgres.psql('create table notes as select generate_series(1, 100) as number');
    await scenario.apply(...scenario.repositoryObjects(), verifying('100', { verification: undefined }));
    await scenario.apply(physicalRun(scenario.namespace, 'base'), backupRun(scenario.namespace, 'dump'));
    for (const name of ['base', 'dump'])
      expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Completed' });
  });

  test('restores the newest backup of each method, finds them good, and leaves nothing behind', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await scenario.apply(verifying('100'));
    await scenario.condition('backuppolicy', 'orders', { type: 'Verified', status: 'True' }, 420);
    await scenario.apply(verifying('100', { suspend: true }));
    const { verification } = (await statusOf<BackupPolicyStatus>('backuppolicy', 'orders')) ?? {};
    const last = verification?.last ?? [];
    expect(last.map(({ method, run }) => [method, run])).toEqual([
      ['Physical', 'base'],
      ['Logical', 'dump'],
    ]);
    for (const { run = '' } of last)
      expect((await statusOf<BackupRunStatus>('backuprun', run))?.verified).toMatchObject({ time: expect.any(String) });
    const checksOf = async (kind: string, index: number) =>
      (await statusOf<{ readonly checks?: readonly CheckResult[] }>(kind, last[index]?.name ?? ''))?.checks ?? [];
    const physical = await checksOf('pitrrecovery', 0);
    expect(physical.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['VerifyBackup', 'Amcheck', 'Dump', 'Assertions', 'DataChecksums']),
    );
    const logical = await checksOf('restorerequest', 1);
    expect(logical.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['Restore', 'Passed'],
      ['Amcheck', 'Passed'],
      ['Dump', 'Passed'],
      ['Assertions', 'Passed'],
    ]);
    expect([...physical, ...logical].filter(({ outcome }) => outcome === 'Failed')).toEqual([]);
    const sets = await kubectl.list<{ readonly metadata: { readonly name: string } }>('statefulsets', namespace);
    expect(sets.map(({ metadata }) => metadata.name).filter((name) => name.includes('verify'))).toEqual([]);
  });

  test('a drill’s figures stand in the policy’s history', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      pitrRecovery(namespace, 'drill', {
        recoveryTarget: { targetImmediate: true },
        target: { ephemeral: {} },
        objectives: { rtoSeconds: 3600 },
      }),
    );
    expect((await scenario.finished('pitrrecovery', 'drill')).status).toMatchObject({ phase: 'Completed' });
    const drills = await until('the drill in the history', async () => {
      const found = (await statusOf<BackupPolicyStatus>('backuppolicy', 'orders'))?.drills ?? [];
      return found.length > 0 && found;
    });
    expect(drills).toMatchObject([
      { name: 'drill', outcome: 'Completed', rtoSeconds: expect.any(Number), objectivesMet: true },
    ]);
  });

  test('what does not pass is marked, told, and replaced by a new full backup', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await scenario.apply(verifying('7'));
    await scenario.condition(
      'backuppolicy',
      'orders',
      { type: 'Verified', status: 'False', reason: 'AssertionFailed' },
      300,
    );
    const replacement = await until('a new full backup', async () => {
      const runs = await kubectl.list<{ readonly metadata: { readonly name: string } }>('backupruns', namespace);
      return runs.find(({ metadata }) => metadata.name.startsWith('orders-verify-'))?.metadata.name;
    });
    await scenario.apply(verifying('7', { suspend: true }));
    expect((await scenario.finished('backuprun', replacement)).status).toMatchObject({ phase: 'Completed' });
    const marked = await statusOf<BackupRunStatus>('backuprun', 'base');
    expect(marked?.conditions?.find(({ type }) => type === 'Verified')).toMatchObject({ status: 'False' });
    expect(marked?.phase).toBe('Completed');
    expect(marked?.verified).toBeUndefined();
    await until('the Event', async () => {
      const events = await kubectl.list<{ readonly reason: string }>('events.events.k8s.io', namespace);
      return events.some(({ reason }) => reason === 'VerificationFailed');
    });
  });
});
