import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginOutage, forgetHistory, type Outage } from '../../support/cluster/outage.ts';
import { bounded } from '../../support/faults.ts';
import { operatorNamespace } from '../../support/tidemark/install.ts';
import type { Loose } from '../../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

interface OperatorPod extends Loose {
  readonly status: {
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly ready: boolean }[];
  };
}

/** The API server is killed, and what etcd knew of the past is gone when it comes back. */
describe('an API server that is away', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let outage: Outage | undefined;
  const seconds = bounded(65, 300);

  beforeAll(async () => {
    scenario = await startScenario('away');
    postgres = await scenario.postgres();
    await postgres.psql('create table things as select generate_series(1, 7) as id');
    // Its CronJob is due in every minute of the outage.
    const schedules = [{ name: 'often', cron: '* * * * *', method: 'Logical' }];
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(scenario.namespace),
      logicalPolicy(scenario.namespace, { schedules }, 'scheduled'),
    );
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
    await scenario.condition('backuppolicy', 'scheduled', { type: 'Ready', status: 'True' });
  });
  afterAll(async () => {
    await outage?.end();
  });

  test('costs no backup: the one that runs ends, the schedule catches up, and no operator loops', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const before = await operators();
    // The agent goes on when this ends, while nobody hears of it.
    const holding = postgres.psql(hold).catch(() => '');
    await until('the lock to be held', async () => (await postgres.psql(held)) !== '0');
    await scenario.apply(backupRun(namespace, 'across'));
    await dumpIsWaiting();
    outage = await beginOutage('kube-apiserver');
    const begun = Date.now();
    await holding;
    await pause(seconds * 1000 - (Date.now() - begun));
    await forgetHistory();
    await outage.end();
    outage = undefined;
    // Our kinds come a moment after its own.
    const runs = () => kubectl.list('backupruns', namespace).catch(() => undefined);
    await until('the API server to answer', async () => await runs());
    const back = Date.now();

    const run = await scenario.finished('backuprun', 'across');
    expect(run.status).toMatchObject({ phase: 'Completed', error: '', repositories: [{ state: 'Stored' }] });
    expect(run.status?.backupID).toMatch(/-logical/);
    expect(await kubectl.list('jobs', namespace, 'tidemark.dev/run=across')).toHaveLength(1);
    const caughtUp = await until('a scheduled backup after the outage', async () => {
      const scheduled = await kubectl.list('backupruns', namespace, 'tidemark.dev/policy=scheduled');
      return scheduled.find(
        ({ metadata, status }) =>
          Date.parse(String(metadata['creationTimestamp'])) >= back - 1000 && status?.phase === 'Completed',
      );
    });
    expect(caughtUp.status).toMatchObject({ error: '' });
    await scenario.apply(backupRun(namespace, 'after'));
    expect((await scenario.finished('backuprun', 'after')).status?.phase).toBe('Completed');
    const resumed = (Date.now() - back) / 1000;

    // The leader may stop once, since it cannot say that it leads; nobody does so again and again.
    const after = await operators();
    const restarts = after.map(([name, count]) => count - (new Map(before).get(name) ?? 0));
    console.log(
      `Away for ${seconds} s; restarts of the operators ${restarts}; all was well ${resumed.toFixed(0)} s after`,
    );
    expect(after.map(([name]) => name).sort()).toEqual(before.map(([name]) => name).sort());
    expect(Math.max(...restarts)).toBeLessThanOrEqual(1);
  }, 900_000);

  async function operators(): Promise<readonly (readonly [string, number])[]> {
    return await until('both operators to be ready', async () => {
      const pods = await scenario.kubectl.list<OperatorPod>(
        'pods',
        operatorNamespace,
        'app.kubernetes.io/name=tidemark',
      );
      const ready = pods.filter(({ status }) => status.containerStatuses?.[0]?.ready);
      return ready.length === 2
        ? ready.map(
            ({ metadata, status }) => [metadata.name, status.containerStatuses?.[0]?.restartCount ?? 0] as const,
          )
        : undefined;
    });
  }

  async function dumpIsWaiting(): Promise<void> {
    await until('pg_dump to wait for the lock', async () => (await postgres.psql(waiting)) !== '0');
  }
});

const hold = 'begin; lock table things in access exclusive mode; select pg_sleep(25)';
const held =
  "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'things'::regclass";
const waiting =
  "select count(*) from pg_stat_activity where application_name = 'tidemark' and wait_event_type = 'Lock'";
