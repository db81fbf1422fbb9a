import { expect, test } from 'vitest';
import { jobTemplate } from '../../../../src/api/job-template.ts';
import { refused } from '../../../../src/controllers/refusal.ts';
import { decide, type Gathered } from '../../../../src/controllers/restore-request/decide.ts';
import { gatherScratch, type Scratch } from '../../../../src/controllers/restore-request/scratch.ts';
import type { Lookup } from '../../../../src/controllers/restore-request/source.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { agent, now, policy, repository, restore, run } from '../objects.ts';

const signal = new AbortController().signal;
const request = restore({ spec: { target: { ephemeral: {} }, globals: 'Restore', checks: { dump: true } } });
const backup = { backupID: '20260310T030000Z-logical' };
const scratch: Scratch = {
  image: 'postgres:17',
  server: undefined,
  template: jobTemplate.parse({ nodeSelector: { disk: 'slow' }, resources: { limits: { memory: '300Mi' } } }),
  storageClassName: 'fast',
  bytes: String(4 * 2 ** 30),
};

function gathered(more: Partial<Gathered> = {}): Gathered {
  return {
    request,
    source: { repository: { name: 'store', spec: repository().spec }, backup },
    hosts: [],
    scratch,
    account: undefined,
    job: undefined,
    jobExists: false,
    activePods: [],
    agent,
    now,
    ...more,
  };
}

interface Pod {
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly env: readonly { readonly name: string; readonly value: string }[];
    readonly resources: object;
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly volumes: readonly { readonly name: string; readonly [kind: string]: unknown }[];
  readonly [field: string]: unknown;
}

test('a logical backup gets an empty server beside the agent, under the agent’s account, bounded by the policy’s template', () => {
  const { create } = decide(gathered());
  const spec = create?.['spec'] as {
    readonly ttlSecondsAfterFinished: number;
    readonly template: { readonly spec: Pod };
  };
  const pod = spec.template.spec;
  expect(spec.ttlSecondsAfterFinished).toBe(600);
  expect(pod['nodeSelector']).toEqual({ disk: 'slow' });
  expect(pod['securityContext']).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532 });
  const [worker, server] = pod.containers;
  expect(worker?.resources).toMatchObject({ limits: { memory: '300Mi' } });
  expect(server).toMatchObject({ name: 'postgres', image: 'postgres:17' });
  const task = JSON.parse(worker?.env.find(({ name }) => name === 'TIDEMARK_TASK')?.value ?? '');
  expect(task).toMatchObject({
    action: 'restore',
    ephemeral: { dataDirectory: '/var/run/tidemark/scratch-server/pgdata', checks: { dump: true, amcheck: false } },
    restore: { globals: 'Restore', databases: [] },
  });
  const named = (name: string) => pod.volumes.find((volume) => volume.name === name);
  // No password of the source's is mounted.
  expect(named('server-credentials')).toBeUndefined();
  expect(named('recovered-data')).toMatchObject({
    ephemeral: {
      volumeClaimTemplate: { spec: { storageClassName: 'fast', resources: { requests: { storage: '8Gi' } } } },
    },
  });
  expect(named('users')).toMatchObject({ downwardAPI: {} });
  expect(server?.volumeMounts).toContainEqual({
    name: 'users',
    mountPath: '/etc/passwd',
    subPath: 'passwd',
    readOnly: true,
  });
  for (const container of [worker, server])
    expect(container?.volumeMounts.map(({ mountPath }) => mountPath)).toEqual(
      expect.arrayContaining(['/var/run/tidemark/scratch-server', '/var/run/tidemark/recovery']),
    );
});

test('without an image it is refused', () => {
  expect(decide(gathered({ scratch: refused('ImageUnknown', 'none') })).status).toMatchObject({
    phase: 'Failed',
    conditions: [{ reason: 'ImageUnknown' }, { type: 'Stalled' }],
  });
});

test('what it is made with is the source’s', async () => {
  const source = { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'db' } };
  const known = policy({ spec: { source, jobTemplate: { nodeSelector: { disk: 'slow' } } } });
  const lookup: Lookup = {
    run: () => run({ status: { size: { source: '99' } } }),
    runsOf: () => [],
    runOfBackup: () => undefined,
    policy: () => known,
    repository: () => undefined,
  };
  const fake = new FakeCluster();
  expect(await gatherScratch(fake.context, request, lookup, signal)).toMatchObject({ reason: 'ImageUnknown' });
  fake.answer = ({ path }) => {
    if (path.endsWith('persistentvolumeclaims/data-orders-db-0')) return { spec: { storageClassName: 'fast' } };
    if (!path.endsWith('statefulsets/orders-db')) return undefined;
    const volumeMounts = [{ name: 'data', mountPath: '/var/lib/postgresql/data' }];
    return {
      metadata: { name: 'orders-db', namespace: 'shop' },
      spec: {
        template: { spec: { containers: [{ name: 'postgres', image: 'postgres:17', volumeMounts }] } },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
      },
    };
  };
  expect(await gatherScratch(fake.context, request, lookup, signal)).toMatchObject({
    image: 'postgres:17',
    storageClassName: 'fast',
    bytes: '99',
    template: { nodeSelector: { disk: 'slow' } },
  });
  expect(await gatherScratch(fake.context, restore(), lookup, signal)).toBeUndefined();
});
