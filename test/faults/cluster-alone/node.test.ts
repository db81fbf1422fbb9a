import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginOutage, type Outage } from '../../support/cluster/outage.ts';
import { bounded } from '../../support/faults.ts';
import { listKeys } from '../../support/tidemark/bucket.ts';
import { operatorNamespace } from '../../support/tidemark/install.ts';
import type { Loose } from '../../support/tidemark/kubectl.ts';
import { lockTable } from '../../support/tidemark/lock-table.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { physicalRun, pitrRecovery } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

const crd = new URL('../../../crds/tidemark.dev_restorerequests.yaml', import.meta.url);

/** Pods, nodes, namespaces and kinds that are taken away while something runs. */
describe('work whose ground goes', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let outage: Outage | undefined;
  let restartsBefore: readonly (readonly [string, number])[];

  beforeAll(async () => {
    scenario = await startScenario('ground');
    const { namespace } = scenario;
    restartsBefore = await restarts();
    postgres = await scenario.postgres();
    await postgres.psql('create database shop; create database copy');
    await postgres.psql('create table things as select generate_series(1, 7) as id', 'shop');
    const spec = { jobTemplate: { backoffLimit: 2 }, physical: { walMethod: 'Stream' } };
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(namespace, spec),
      backupRun(namespace, 'dump'),
      physicalRun(namespace, 'base'),
    );
    for (const name of ['dump', 'base'])
      expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Completed', error: '' });
  });
  afterAll(async () => {
    await outage?.end();
    await scenario.kubectl.apply(await readFile(crd, 'utf8'));
  });

  const podOf = (label: string) =>
    until(`a running pod of ${label}`, async () => {
      const pods = await scenario.kubectl.list<Loose>('pods', scenario.namespace, label);
      return pods.find(({ status }) => status?.phase === 'Running')?.metadata.name;
    });
  const evict = async (pod: string) => {
    const { kubectl, namespace } = scenario;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
    await kubectl.run(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(eviction) });
  };
  const waiters = (count: number) =>
    until(`${count} sessions to wait for a lock`, async () => Number(await postgres.psql(waiting)) >= count);
  const ends = async (kind: string, name: string) => {
    const { status } = await scenario.finished(kind, name, 240);
    expect(status, JSON.stringify(status)).toMatchObject({ phase: 'Completed', error: '' });
  };

  test('a backup, a restore and a recovery go on after the eviction of their pods', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const lock = await lockTable(postgres, 'shop', 'things');
    // Whoever makes a table of this name waits until it is known whether there is one.
    const blocker = postgres
      .psql("set application_name = 'blocker'; begin; create table things (); select pg_sleep(600)", 'copy')
      .catch(() => '');
    const assertions = [{ database: 'shop', query: 'select pg_sleep(10), count(*) from things', expect: '|7' }];
    await scenario.apply(
      backupRun(namespace, 'evicted'),
      restoreRequest(namespace, 'evicted', {
        source: { backupRunRef: { name: 'dump' } },
        databases: [{ name: 'shop', targetName: 'copy', create: false }],
      }),
      pitrRecovery(namespace, 'evicted', {
        recoveryTarget: { targetImmediate: true },
        target: { ephemeral: {} },
        assertions,
      }),
    );
    await waiters(2);
    await evict(await podOf('tidemark.dev/run=evicted'));
    await evict(await podOf('tidemark.dev/restore=evicted'));
    await scenario.kubectl.until({
      ...{ resource: 'pitrrecovery', name: 'evicted', namespace, seconds: 120 },
      to: 'to be questioned',
      fits: ({ status }) => status?.phase === 'Checking',
    });
    await evict(await podOf('tidemark.dev/recovery=evicted'));
    await lock.release();
    await postgres.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'blocker'");
    await blocker;
    await ends('backuprun', 'evicted');
    await ends('restorerequest', 'evicted');
    await ends('pitrrecovery', 'evicted');
    expect(await postgres.psql('select count(*) from things', 'copy')).toBe('7');
  }, 400_000);

  test('a backup on a node that is lost is made by another pod, once', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const lock = await lockTable(postgres, 'shop', 'things');
    await scenario.apply(backupRun(namespace, 'lost'));
    await waiters(1);
    const pod = await podOf('tidemark.dev/run=lost');
    outage = await beginOutage('kubelet');
    // What the control plane does to the pods of a node that does not come back; the agent itself still runs.
    await kubectl.run(['delete', 'pod', pod, '--grace-period=0', '--force', '--wait=false'], { namespace });
    await pause(bounded(10, 120) * 1000);
    await outage.end();
    outage = undefined;
    await lock.release();
    await ends('backuprun', 'lost');
    const { status } = (await kubectl.get('backuprun', 'lost', namespace)) ?? {};
    const keys = await listKeys(scenario, `test/${namespace}/orders/`);
    const manifests = keys.filter((key) => key.endsWith('manifest.json'));
    expect(manifests.filter((key) => key.includes(`/${status?.backupID}/`))).toHaveLength(1);
    // What the first one may have completed too is a backup as well, and no half of one stays.
    const folders = new Set(keys.map((key) => /backups\/([^/]+)\//.exec(key)?.[1]).filter(Boolean));
    expect([...folders].filter((id) => !manifests.some((key) => key.includes(`/${id}/`)))).toEqual([]);
  }, 400_000);

  test('a namespace that is deleted in the middle of a backup goes, and the operator goes on', async () => {
    explainFailure(scenario);
    const own = await startScenario('goes');
    const server = await own.postgres();
    await server.psql('create table things as select generate_series(1, 7) as id');
    await own.apply(...own.repositoryObjects(), logicalPolicy(own.namespace));
    await lockTable(server, 'postgres', 'things');
    await own.apply(backupRun(own.namespace, 'running'));
    await until('the backup to wait', async () => (await server.psql(waiting)) !== '0');
    const begun = Date.now();
    const command = ['delete', 'namespace', own.namespace, '--timeout=150s'];
    await own.kubectl.run(command, { timeoutSeconds: 160 });
    console.log(`the namespace was gone after ${((Date.now() - begun) / 1000).toFixed(0)} s`);
    await scenario.apply(backupRun(scenario.namespace, 'elsewhere'));
    await ends('backuprun', 'elsewhere');
  }, 400_000);

  test('a kind whose CRD is deleted costs that kind alone, and is there again with its CRD', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await kubectl.run(['delete', '-f', '-', '--timeout=100s'], { input: await readFile(crd, 'utf8') });
    await scenario.apply(backupRun(namespace, 'without-crd'));
    await ends('backuprun', 'without-crd');
    await kubectl.apply(await readFile(crd, 'utf8'));
    await kubectl.run(['wait', 'crd/restorerequests.tidemark.dev', '--for=condition=Established', '--timeout=60s']);
    const begun = Date.now();
    await until(
      'the kind to be served',
      async () => (await kubectl.list('restorerequests', namespace).catch(() => undefined)) !== undefined,
    );
    await scenario.apply(
      restoreRequest(namespace, 'with-crd', {
        source: { backupRunRef: { name: 'dump' } },
        databases: [{ name: 'shop', targetName: 'again' }],
      }),
    );
    await ends('restorerequest', 'with-crd');
    console.log(`the kind was followed and its work done ${((Date.now() - begun) / 1000).toFixed(0)} s after`);
    expect(await postgres.psql('select count(*) from things', 'again')).toBe('7');
  }, 400_000);

  test('and no operator was restarted by any of it', async () => {
    expect(await restarts()).toEqual(restartsBefore);
  });

  async function restarts(): Promise<readonly (readonly [string, number])[]> {
    interface OperatorPod extends Loose {
      readonly status: {
        readonly containerStatuses?: readonly { readonly restartCount: number; readonly ready: boolean }[];
      };
    }
    const pods = await until('both operators to be ready', async () => {
      const all = await scenario.kubectl.list<OperatorPod>(
        'pods',
        operatorNamespace,
        'app.kubernetes.io/name=tidemark',
      );
      const ready = all.filter(({ status }) => status.containerStatuses?.[0]?.ready);
      return ready.length === 2 ? ready : undefined;
    });
    return pods
      .map(({ metadata, status }) => [metadata.name, status.containerStatuses?.[0]?.restartCount ?? 0] as const)
      .sort();
  }
});

const waiting =
  "select count(*) from pg_stat_activity where application_name like 'tidemark%' and wait_event_type = 'Lock'";
