import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { operatorNamespace } from '../support/tidemark/install.ts';
import { backupRun } from '../support/tidemark/policy.ts';
import { type PortForward, startPortForward } from '../support/tidemark/port-forward.ts';
import { archivingPolicy, Clockwork, physicalRun, pitrRecovery, startArchiving } from '../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** A policy that has done all that there is a figure for, seen by a real Prometheus. */
describe('the dashboard of the chart', () => {
  let scenario: Scenario;
  let prometheus: Prometheus;
  const forwards: PortForward[] = [];

  beforeAll(async () => {
    scenario = await startScenario('monitoring');
    const { kubectl, namespace } = scenario;
    const postgres = await scenario.postgres();
    const spec = {
      retention: { keepLast: 3 },
      schedules: [{ name: 'yearly', cron: '0 0 1 1 *', method: 'Physical' }],
      logical: { databases: { include: ['nowhere'] } },
    };
    await startArchiving(scenario, 'Stream', spec);
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(namespace, 'base'), backupRun(namespace, 'failing'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    expect((await scenario.finished('backuprun', 'failing')).status).toMatchObject({ phase: 'Failed' });
    await clockwork.tick();
    await clockwork.archived(scenario);
    const drill = { target: { ephemeral: {} }, objectives: { rtoSeconds: 3600 } };
    await scenario.apply(pitrRecovery(namespace, 'drill', drill));
    expect((await scenario.finished('pitrrecovery', 'drill')).status).toMatchObject({ phase: 'Completed', error: '' });
    await scenario.condition('backuppolicy', 'orders', { type: 'RetentionApplied', status: 'True' });
    const checks = { verifyBackup: false, dataChecksums: false, amcheck: false, dump: false };
    const verifying = (cron: string) =>
      archivingPolicy(namespace, 'Stream', { ...spec, verification: { cron, checks } });
    await scenario.apply(verifying('* * * * *'));
    await scenario.condition('backuppolicy', 'orders', { type: 'Verified', status: 'True' }, 420);
    await scenario.apply(verifying('0 0 1 1 *'));

    const pods = await kubectl.list('pods', operatorNamespace, 'app.kubernetes.io/name=tidemark');
    for (const { metadata } of pods)
      forwards.push(await startPortForward(kubectl, operatorNamespace, `pod/${metadata.name}`, 8080));
    prometheus = await startPrometheus(forwards.map(({ port }) => `127.0.0.1:${port}`));
  });

  afterAll(async () => {
    await prometheus?.stop();
    for (const forward of forwards) await forward.stop();
  });

  test('has an answer to every query', async () => {
    explainFailure(scenario);
    const file = new URL('../../charts/tidemark/files/dashboard.json', import.meta.url);
    const { panels } = JSON.parse(await readFile(file, 'utf8')) as Dashboard;
    const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
    expect(queries.length).toBeGreaterThan(20);
    for (const { title, expr } of queries) {
      const asked = expr.replaceAll('$namespace', scenario.namespace).replaceAll('$policy', 'orders');
      // A rate needs two looks, and a percentile of nothing is no number.
      await until(`an answer to ${title}: ${asked}`, async () =>
        (await prometheus.query(asked)).some(({ value: [, value] }) => !Number.isNaN(Number(value))),
      );
    }
  });

  test('says of the policy what is so', async () => {
    explainFailure(scenario);
    const value = async (name: string, labels = '') => {
      const [series] = await prometheus.query(`tidemark_${name}{namespace="${scenario.namespace}"${labels}}`);
      return series === undefined ? undefined : Number(series.value[1]);
    };
    expect(await value('wal_archiving')).toBe(1);
    expect(await value('wal_gaps')).toBe(0);
    expect(await value('drill_succeeded')).toBe(1);
    expect(await value('drill_objectives_met')).toBe(1);
    expect(await value('verification_succeeded')).toBe(1);
    expect(await value('repository_ready', ',repository="offsite"')).toBe(1);
    expect(await value('backup_runs', ',phase="Failed"')).toBe(1);
    expect(await value('last_success_timestamp_seconds', ',method="Physical"')).toBeGreaterThan(
      Date.now() / 1000 - 3600,
    );
    expect(await value('last_success_timestamp_seconds', ',method="Logical"')).toBeUndefined();
  });
});
