import { beforeAll, describe, expect, test } from 'vitest';
import { type ArgoAnswer, askArgo } from '../../support/gitops/argocd.ts';
import { inGit, readSample, restore, type Shop, startShop } from '../../support/gitops/shop.ts';
import { backupRun } from '../../support/tidemark/policy.ts';
import { explainFailure } from '../../support/tidemark/scenario.ts';

interface Application {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly destination: object };
}

const sample = readSample<Application>('argocd/policies.yaml');
const { data: settings } = readSample<{ readonly data: Readonly<Record<string, string>> }>('argocd/argocd-cm.yaml');

/** manifests/samples/gitops, and what docs/gitops.md says becomes of a restore that stands in Git. */
describe("Argo CD's own engine on the samples", () => {
  let shop: Shop;

  beforeAll(async () => {
    shop = await startShop('argocd');
  }, 600_000);

  const sync = async (objects: readonly object[], name = sample.metadata.name): Promise<ArgoAnswer> => {
    const { kubeconfig, namespace } = shop.scenario;
    const spec = { ...sample.spec, destination: { ...sample.spec.destination, namespace } };
    const application = { ...sample, metadata: { ...sample.metadata, name }, spec };
    return await askArgo({ kubeconfig, objects, application, settings, timeoutSeconds: 200 });
  };
  const ofGit = (...names: readonly string[]) => names.map((name) => shop.object(name));
  const find = (kind: string, name: string) => shop.scenario.kubectl.get(kind, name, shop.scenario.namespace);
  const request = () => find('restorerequest', 'orders-table-2026-11-21');
  const healthy = { status: 'Healthy', message: expect.any(String) };
  const synced = { status: 'Synced', message: expect.any(String) };

  test('creates the repository, then the policy once that is Healthy, and waits for both', async () => {
    explainFailure(shop.scenario);
    expect(await sync(ofGit(...inGit))).toEqual({
      outOfSync: ['BackupPolicy/orders', 'BackupRepository/offsite'],
      phase: 'Succeeded',
      message: expect.any(String),
      results: { 'BackupRepository/offsite': synced, 'BackupPolicy/orders': synced },
      waves: [-1, 0],
      health: { 'BackupRepository/offsite': healthy, 'BackupPolicy/orders': healthy },
    });
    const [repository, policy] = [await find('backuprepository', 'offsite'), await find('backuppolicy', 'orders')];
    const ready = repository?.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'True' });
    const since = Date.parse((ready as { readonly lastTransitionTime?: string }).lastTransitionTime ?? '');
    expect(Date.parse(String(policy?.metadata['creationTimestamp']))).toBeGreaterThanOrEqual(since);
  });

  test('applies a restore in its wave, which is Healthy when it has ended', async () => {
    explainFailure(shop.scenario);
    const { scenario } = shop;
    await scenario.apply(backupRun(scenario.namespace, 'orders-nightly-29378580'));
    expect((await scenario.finished('backuprun', 'orders-nightly-29378580')).status?.phase).toBe('Completed');
    expect(await sync(ofGit(...inGit, restore))).toMatchObject({
      outOfSync: ['RestoreRequest/orders-table-2026-11-21'],
      phase: 'Succeeded',
      waves: [-1, 0, 1],
      health: { 'RestoreRequest/orders-table-2026-11-21': healthy },
    });
    expect((await request())?.status?.phase).toBe('Completed');
    expect(await shop.restored()).toBe('1234');
  });

  test('has nothing to do afterwards; a sync by hand changes nothing, and nothing is restored again', async () => {
    explainFailure(shop.scenario);
    // A sync by hand applies again, which only the times of the fields' managers tell of.
    const known = async () => {
      const found = await request();
      return { uid: found?.metadata.uid, spec: found?.spec, status: found?.status };
    };
    const before = await known();
    const { outOfSync, phase, health } = await sync(ofGit(...inGit, restore));
    expect({ outOfSync, phase }).toEqual({ outOfSync: [], phase: 'Succeeded' });
    expect(Object.values(health)).toEqual([healthy, healthy, healthy]);
    expect(await known()).toEqual(before);
    expect(before.status?.phase).toBe('Completed');
  });

  test('does not begin when the spec of the restore was edited: the comparison says what to do', async () => {
    const edited = shop.object(restore, (text) =>
      text.replace('targetName: orders_2026_11_21', 'targetName: elsewhere'),
    );
    await expect(sync([...ofGit(...inGit), edited])).rejects.toThrow(
      /orders-table-2026-11-21.*create a new RestoreRequest/s,
    );
  });

  test('shows a restore that failed as Degraded, with the reason', async () => {
    explainFailure(shop.scenario);
    // The database is there already, and onConflict is Fail.
    const second = shop.object(restore, (text) => text.replace('name: orders-table-2026-11-21', 'name: a-second-time'));
    const { phase, health } = await sync([...ofGit(...inGit, restore), second]);
    expect(phase).toBe('Succeeded');
    expect(health).toMatchObject({
      'RestoreRequest/orders-table-2026-11-21': healthy,
      'RestoreRequest/a-second-time': { status: 'Degraded', message: expect.stringMatching(/^\w+: ./) },
    });
  });

  test('stops at a wave of which something is Degraded, and says why', async () => {
    explainFailure(shop.scenario);
    const nowhere = (text: string) =>
      text.replaceAll('offsite', 'nowhere').replace('name: orders\n', 'name: nowhere\n').replace('s3-cred', 'no-cred');
    const { phase, waves, results } = await sync(
      inGit.map((name) => shop.object(name, nowhere)),
      'nowhere',
    );
    expect({ phase, waves }).toEqual({ phase: 'Failed', waves: [-1] });
    expect(results['BackupRepository/nowhere']?.message).toContain('CredentialsMissing');
    expect(await find('backuppolicy', 'nowhere')).toBeUndefined();
  });

  test('prunes restores that left Git, but not a policy; what was restored stays', async () => {
    explainFailure(shop.scenario);
    const pruned = { status: 'Pruned', message: 'pruned' };
    expect(await sync(ofGit('10-repository'))).toMatchObject({
      outOfSync: expect.arrayContaining(['RestoreRequest/orders-table-2026-11-21']),
      phase: 'Succeeded',
      results: {
        'RestoreRequest/orders-table-2026-11-21': pruned,
        'RestoreRequest/a-second-time': pruned,
        'BackupPolicy/orders': { status: 'PruneSkipped' },
      },
    });
    expect(await request()).toBeUndefined();
    expect(await find('backuppolicy', 'orders')).toMatchObject({ metadata: { name: 'orders' } });
    expect(await shop.restored()).toBe('1234');
  });

  test('prunes a repository that left Git, and nothing that is stored there', async () => {
    explainFailure(shop.scenario);
    expect(await sync(ofGit('20-policy'))).toMatchObject({
      results: { 'BackupRepository/offsite': { status: 'Pruned' } },
    });
    expect(await find('backuprepository', 'offsite')).toBeUndefined();
    const run = await find('backuprun', 'orders-nightly-29378580');
    expect(run?.status).toMatchObject({ phase: 'Completed', repositories: [{ state: 'Stored' }] });
  });
});
