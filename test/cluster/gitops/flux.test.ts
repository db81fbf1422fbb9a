import { beforeAll, describe, expect, test } from 'vitest';
import { askFlux, type FluxAnswer } from '../../support/gitops/flux.ts';
import { inGit, readSample, restore, type Shop, startShop } from '../../support/gitops/shop.ts';
import { backupRun } from '../../support/tidemark/policy.ts';
import { explainFailure } from '../../support/tidemark/scenario.ts';

const { spec: kustomization } = readSample<{ readonly spec: { readonly healthCheckExprs: readonly object[] } }>(
  'flux/policies.yaml',
);

/** manifests/samples/gitops, and what docs/gitops.md says becomes of a restore that stands in Git. */
describe("Flux's own code on the samples", () => {
  let shop: Shop;

  beforeAll(async () => {
    shop = await startShop('flux');
  }, 600_000);

  const reconcile = async (objects: readonly object[], prune = false): Promise<FluxAnswer> => {
    const { kubeconfig } = shop.scenario;
    const { healthCheckExprs } = kustomization;
    return await askFlux({ kubeconfig, objects, healthCheckExprs, timeoutSeconds: 200, prune });
  };
  const sample = (names: readonly string[]) => names.map((name) => shop.object(name));
  const request = () => shop.scenario.kubectl.get('restorerequest', 'orders-table-2026-11-21', shop.scenario.namespace);

  test('applies a repository and a policy, and waits until they are Ready', async () => {
    explainFailure(shop.scenario);
    expect(await reconcile(sample(inGit))).toEqual({
      actions: { 'BackupRepository/offsite': 'created', 'BackupPolicy/orders': 'created' },
      unhealthy: '',
    });
    const { scenario } = shop;
    for (const [kind, name] of [
      ['backuprepository', 'offsite'],
      ['backuppolicy', 'orders'],
    ] as const) {
      const found = await scenario.kubectl.get(kind, name, scenario.namespace);
      expect(found?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    }
  });

  test('waits for a restore to end, and takes it for healthy', async () => {
    explainFailure(shop.scenario);
    const { scenario } = shop;
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
    expect(await shop.restored()).toBe('1234');
  });

  test('finds it done at the next sync, and nothing is restored again', async () => {
    explainFailure(shop.scenario);
    const before = await request();
    const { actions, unhealthy } = await reconcile(sample([...inGit, restore]));
    expect([...new Set(Object.values(actions)), unhealthy]).toEqual(['unchanged', '']);
    expect(await request()).toEqual(before);
  });

  test('is refused when the spec of the restore was edited', async () => {
    const edited = shop.object(restore, (text) =>
      text.replace('targetName: orders_2026_11_21', 'targetName: elsewhere'),
    );
    await expect(reconcile([edited])).rejects.toThrow(/orders-table-2026-11-21.*create a new RestoreRequest/s);
  });

  test('says at once which restore failed', async () => {
    explainFailure(shop.scenario);
    // The database is there already, and onConflict is Fail.
    const second = shop.object(restore, (text) => text.replace('name: orders-table-2026-11-21', 'name: a-second-time'));
    const { unhealthy } = await reconcile([second]);
    expect(unhealthy).toMatch(/RestoreRequest\/.*a-second-time.*Failed/);
  });

  test('prunes the repository and the restore, leaves the policy, and what was restored stays', async () => {
    explainFailure(shop.scenario);
    const { actions } = await reconcile(sample([restore, ...inGit]), true);
    expect(actions).toEqual({
      'BackupRepository/offsite': 'deleted',
      'BackupPolicy/orders': 'skipped',
      'RestoreRequest/orders-table-2026-11-21': 'deleted',
    });
    expect(await shop.restored()).toBe('1234');
  });
});
