import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type PostgresWorkload, postgresObjects } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy, physicalRun } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  archivingIn,
  eventsOf,
  failedCount,
  readPolicy,
  segmentsIn,
  storedWal,
  templateOf,
  untilArchived,
  untilRolledOut,
  writeSegment,
} from './archive.ts';

/** A Deployment with one pod and one volume: no StatefulSet's names, and never two pods at once. */
describe('a server in a Deployment', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  const source = {
    workloadRef: { kind: 'Deployment', name: 'orders-db' },
    credentialsSecretRef: { name: 'orders-db' },
  };

  beforeAll(async () => {
    scenario = await startScenario('deployment');
    postgres = await startDeployment(scenario);
    await scenario.apply(...scenario.repositoryObjects(), archivingPolicy(scenario.namespace, 'Archive', { source }));
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 180);
    await untilRolledOut(scenario, 'deployment/orders-db');
  });

  const servers = async () =>
    (await scenario.kubectl.list('pods', scenario.namespace, 'app.kubernetes.io/name=orders-db')).map(
      ({ metadata }) => ({ uid: metadata.uid, created: String(metadata['creationTimestamp']) }),
    );

  test('archives after one restart, which was announced before it began', async () => {
    explainFailure(scenario);
    const segment = await writeSegment(postgres);
    await untilArchived(scenario, segment);
    expect(segmentsIn(await storedWal(scenario))).toContain(segment);
    expect(await failedCount(postgres)).toBe(0);
    const [told, ...others] = await eventsOf(scenario, 'WalArchivingRestart');
    expect(others).toEqual([]);
    expect(told?.note).toContain('The pods of Deployment orders-db are restarted once');
    const [server, ...second] = await servers();
    expect(second).toEqual([]);
    // The one has microseconds, the other whole seconds.
    const announced = Math.floor(Date.parse(told?.eventTime ?? '') / 1000) * 1000;
    expect(Date.parse(server?.created ?? '')).toBeGreaterThanOrEqual(announced);
    const deployment = await scenario.kubectl.get('deployment', 'orders-db', scenario.namespace);
    expect(deployment?.metadata['generation']).toBe(2);
  });

  test('is backed up with its archive', async () => {
    explainFailure(scenario);
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
  });

  test('is not restarted for a setting that needs none', async () => {
    explainFailure(scenario);
    const before = await servers();
    const change = JSON.stringify({ spec: { walArchiving: { archiveTimeoutSeconds: 120 } } });
    await scenario.kubectl.run(['patch', 'backuppolicy', 'orders', '--type=merge', '-p', change], scenario);
    await until('the new archive timeout', async () => (await postgres.psql('show archive_timeout')) === '2min');
    const { generation } = (await readPolicy(scenario)).metadata;
    await until('the policy to be judged anew', async () => {
      const policy = await readPolicy(scenario);
      return policy.status?.['observedGeneration'] === generation && archivingIn(policy)?.status === 'True';
    });
    await untilArchived(scenario, await writeSegment(postgres));
    expect(await servers()).toEqual(before);
    expect(await eventsOf(scenario, 'WalArchivingRestart')).toHaveLength(1);
  });

  test('is left as it was when the policy goes', async () => {
    explainFailure(scenario);
    await scenario.kubectl.run(['delete', 'backuppolicy', 'orders', '--timeout=100s'], scenario);
    await untilRolledOut(scenario, 'deployment/orders-db');
    expect(JSON.stringify(await templateOf(scenario, 'deployment'))).not.toMatch(/tidemark-wal|tidemark\.dev/);
    const mode = () => postgres.psql('show archive_mode').catch(() => '');
    await until('the server without archiving', async () => (await mode()) === 'off');
  });
});

interface ServerSet {
  readonly kind: string;
  readonly metadata: object;
  readonly spec: {
    readonly selector: object;
    readonly template: { readonly metadata: object; readonly spec: object };
    readonly volumeClaimTemplates: readonly { readonly spec: object }[];
  };
}

/** The same server as in other tests, with a Deployment's means. */
async function startDeployment({ kubectl, namespace, images }: Scenario): Promise<PostgresWorkload> {
  const name = 'orders-db';
  const password = randomBytes(9).toString('base64url');
  const objects = postgresObjects({
    namespace,
    name,
    image: images['postgres-17'] ?? '',
    password,
  }) as readonly ServerSet[];
  const set = objects.find(({ kind }) => kind === 'StatefulSet');
  if (set === undefined) throw new Error('the server is no StatefulSet');
  const { metadata } = set;
  const { selector, template, volumeClaimTemplates } = set.spec;
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: name } }];
  const pod = { ...template, spec: { ...template.spec, volumes } };
  await kubectl.apply([
    ...objects.filter((object) => object !== set),
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: volumeClaimTemplates[0]?.spec },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1, strategy: { type: 'Recreate' }, selector, template: pod },
    },
  ]);
  const exec = (command: readonly string[], input = '') =>
    kubectl.run(['exec', '-i', `deployment/${name}`, '-c', 'postgres', '--', ...command], { namespace, input });
  const psql = (sql: string, database = 'postgres') =>
    exec(['psql', `postgresql://postgres:${password}@127.0.0.1/${database}`, '-XqAt', '-v', 'ON_ERROR_STOP=1'], sql);
  await until('the server to answer', async () => (await psql('select 1').catch(() => '')) === '1');
  return { namespace, name, password, exec, psql };
}
