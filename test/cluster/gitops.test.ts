import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { root } from '../support/docs/page.ts';
import { askFlux, type FluxAnswer } from '../support/gitops/flux.ts';
import { backupRun } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';

const samples = join(root, 'manifests/samples/gitops');
const { spec: kustomization } = parse(readFileSync(join(samples, 'flux/policies.yaml'), 'utf8'));

/** manifests/samples/gitops, and what docs/gitops.md says becomes of a restore that stands in Git. */
describe("Flux's own code on the samples", () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  const inGit = ['10-repository', '20-policy'];
  const restore = '30-restore-2026-11-21';

  beforeAll(async () => {
    scenario = await startScenario('flux');
    postgres = await scenario.postgres();
    await postgres.psql('create database orders');
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
    const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: scenario.namespace }, stringData },
    });
    await scenario.apply(
      secret('orders-db-admin', { username: 'postgres', password: postgres.password }),
      secret('s3-credentials', {
        AWS_ACCESS_KEY_ID: scenario.s3.accessKey,
        AWS_SECRET_ACCESS_KEY: scenario.s3.secretKey,
      }),
    );
  }, 600_000);

  const object = (name: string, change: (text: string) => string = (text) => text): object =>
    parse(
      change(readFileSync(join(samples, 'objects', `${name}.yaml`), 'utf8'))
        .replaceAll('namespace: shop', `namespace: ${scenario.namespace}`)
        .replace('region: eu-west-1', 'region: us-east-1')
        .replace('bucket: pg-backups', `bucket: ${scenario.bucket}\n    endpoint: "${scenario.s3.endpoint}"`),
    );
  const reconcile = async (objects: readonly object[], prune = false): Promise<FluxAnswer> => {
    const { healthCheckExprs } = kustomization as { readonly healthCheckExprs: readonly object[] };
    return await askFlux({ kubeconfig: scenario.kubeconfig, objects, healthCheckExprs, timeoutSeconds: 200, prune });
  };
  const sample = (names: readonly string[]) => names.map((name) => object(name));
  const restored = () => postgres.psql('select count(*) from public.orders', 'orders_2026_11_21');
  const request = () => scenario.kubectl.get('restorerequest', 'orders-table-2026-11-21', scenario.namespace);

  test('applies a repository and a policy, and waits until they are Ready', async () => {
    explainFailure(scenario);
    expect(await reconcile(sample(inGit))).toEqual({
      actions: { 'BackupRepository/offsite': 'created', 'BackupPolicy/orders': 'created' },
      unhealthy: '',
    });
    for (const [kind, name] of [
      ['backuprepository', 'offsite'],
      ['backuppolicy', 'orders'],
    ] as const) {
      const found = await scenario.kubectl.get(kind, name, scenario.namespace);
      expect(found?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    }
  });

  test('waits for a restore to end, and takes it for healthy', async () => {
    explainFailure(scenario);
    await scenario.apply(backupRun(scenario.namespace, 'orders-nightly-29378580'));
    expect((await scenario.finished('backuprun', 'orders-nightly-29378580')).status?.phase).toBe('Completed');
    const { actions, unhealthy } = await reconcile(sample([...inGit, restore]));
    expect({ actions, unhealthy }).toEqual({
      actions: {
        'BackupRepository/offsite': 'unchanged',
        'BackupPolicy/orders': 'unchanged',
        'RestoreRequest/orders-table-2026-11-21': 'created',
      },
      unhealthy: '',
    });
    expect((await request())?.status?.phase).toBe('Completed');
    expect(await restored()).toBe('1234');
  });

  test('finds it done at the next sync, and nothing is restored again', async () => {
    explainFailure(scenario);
    const before = await request();
    const { actions, unhealthy } = await reconcile(sample([...inGit, restore]));
    expect([...new Set(Object.values(actions)), unhealthy]).toEqual(['unchanged', '']);
    expect(await request()).toEqual(before);
  });

  test('is refused when the spec of the restore was edited', async () => {
    const edited = object(restore, (text) => text.replace('targetName: orders_2026_11_21', 'targetName: elsewhere'));
    await expect(reconcile([edited])).rejects.toThrow(/orders-table-2026-11-21.*create a new RestoreRequest/s);
  });

  test('says at once which restore failed', async () => {
    explainFailure(scenario);
    // The database is there already, and onConflict is Fail.
    const second = object(restore, (text) => text.replace('name: orders-table-2026-11-21', 'name: a-second-time'));
    const { unhealthy } = await reconcile([second]);
    expect(unhealthy).toMatch(/RestoreRequest\/.*a-second-time.*Failed/);
  });

  test('prunes the repository and the restore, leaves the policy, and what was restored stays', async () => {
    explainFailure(scenario);
    const { actions } = await reconcile(sample([restore, ...inGit]), true);
    expect(actions).toEqual({
      'BackupRepository/offsite': 'deleted',
      'BackupPolicy/orders': 'skipped',
      'RestoreRequest/orders-table-2026-11-21': 'deleted',
    });
    expect(await restored()).toBe('1234');
  });
});
