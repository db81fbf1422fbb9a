import { expect, test } from 'vitest';
import { catalogueCluster } from '../../../../src/agent/catalogue/cluster.ts';
import { Failure } from '../../../../src/domain/failure.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient, RequestOptions } from '../../../../src/kube/client.ts';
import { run } from '../../controllers/objects.ts';

const signal = AbortSignal.timeout(120_000);

function clientOf(answer: (path: string, options: RequestOptions) => unknown) {
  const calls: { method: string; path: string; options: RequestOptions }[] = [];
  const client: KubeClient = {
    namespace: 'shop',
    async request<Answer>(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
      calls.push({ method, path, options });
      return (answer(path, options) ?? { metadata: {} }) as Answer;
    },
    watch: () => {
      throw new Error('nothing is watched here');
    },
    close: async () => undefined,
  };
  return { calls, cluster: catalogueCluster(client, 'shop', signal) };
}

test('the runs of the namespace come page by page', async () => {
  const place = { name: 'store', state: 'Stored', path: 'shop/orders/7/backups/x' };
  const begun = run({
    name: 'begun',
    metadata: {
      labels: { 'tidemark.dev/catalogue': 'store' },
      annotations: { 'tidemark.dev/backup-path': 'shop/orders/7/backups/y' },
    },
  });
  const { cluster, calls } = clientOf((_, { query }) =>
    query?.['continue'] === undefined
      ? {
          items: [run({ status: { backupID: 'x', repositories: [place, { name: 'b', state: 'Failed' }] } })],
          metadata: { continue: 'more' },
        }
      : { items: [begun], metadata: { continue: '' } },
  );
  expect(await cluster.runs()).toMatchObject([
    { name: 'by-hand', backupID: 'x', unwritten: undefined, places: [{ ...place, held: false, lost: false }] },
    { name: 'begun', unwritten: { path: 'shop/orders/7/backups/y', repository: 'store' }, places: [] },
  ]);
  expect(calls.map(({ path, options }) => [path, options.query?.['continue']])).toEqual([
    ['/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns', undefined],
    ['/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns', 'more'],
  ]);
});

test('a place is said whole, under a manager of its repository, so that no other loses what it has said', async () => {
  const { cluster, calls } = clientOf(() => undefined);
  await cluster.place({ name: 'a', uid: 'u' }, { name: 'store', state: 'Stored', path: 'p' });
  expect(calls).toMatchObject([
    {
      method: 'PATCH',
      path: '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/a/status',
      options: {
        query: { fieldManager: 'tidemark-agent-catalogue-store', force: true },
        body: {
          metadata: { uid: 'u' },
          status: { repositories: [{ name: 'store', state: 'Stored', path: 'p', held: false, lost: false }] },
        },
      },
    },
  ]);
});

test('a run that is gone meanwhile has no place; another refusal is told', async () => {
  const refusing = (status: number) =>
    clientOf(() => {
      throw new ApiError(status, 'No', 'no');
    }).cluster;
  const place = { name: 'store', state: 'Stored', path: 'p' } as const;
  await expect(refusing(404).place({ name: 'a', uid: 'u' }, place)).resolves.toBeUndefined();
  await expect(refusing(403).place({ name: 'a', uid: 'u' }, place)).rejects.toBeInstanceOf(ApiError);
});

test('without an API server nothing is judged', async () => {
  const error = await catalogueCluster(undefined, 'shop', signal)
    .runs()
    .catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(Failure);
  expect(error).toMatchObject({ reason: 'ClusterUnreachable', retryable: true });
});
