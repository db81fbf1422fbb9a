import { expect, test } from 'vitest';
import { reconcileRecovery } from '../../../../src/controllers/pitr-recovery/reconcile.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import { type Call, FakeCluster } from '../fake-cluster.ts';
import { ended, job, policy, ready, recovery, report, repository } from '../objects.ts';
import { inPlace, plan } from './things.ts';

const signal = new AbortController().signal;
const source = { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'db' } };
const around = { policies: [policy({ spec: { source } })], repositories: [repository({ status: ready })] };
const template = {
  spec: {
    containers: [
      {
        name: 'postgres',
        image: 'postgres:17',
        volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }],
      },
    ],
  },
};
const set = (name: string, spec: object = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-of-${name}`, resourceVersion: '1', generation: 1 },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template,
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
    ...spec,
  },
  status: { observedGeneration: 1, readyReplicas: 1 },
});
const ownedJob = (name: string, type?: string) => ({
  ...job(name, { owner: 'uid-of-before' }),
  ...(type === undefined
    ? {}
    : { status: { conditions: [{ type, status: 'True', lastTransitionTime: ended('Complete').time }] } }),
});

/** Answers GET by the end of the path. */
function cluster(object: ReturnType<typeof recovery>, present: Readonly<Record<string, object>> = {}): FakeCluster {
  const fake = new FakeCluster({ ...around, recoveries: [object] });
  const all: Readonly<Record<string, object>> = {
    [`pitrrecoveries/${object.metadata.name}`]: object,
    'statefulsets/orders-db': set('orders-db'),
    pods: { items: [] },
    ...present,
  };
  fake.answer = ({ method, path }) =>
    method === 'GET' ? Object.entries(all).find(([end]) => path.endsWith(`/${end}`))?.[1] : undefined;
  return fake;
}
const reconcile = (fake: FakeCluster) => reconcileRecovery(fake.context, 'shop', 'before', signal);
const status = (fake: FakeCluster) => (fake.written('/status') as { readonly status: object } | undefined)?.status;
const refuseCreation =
  (fake: FakeCluster, end: string, error: ApiError, before = fake.answer) =>
  (call: Call) => {
    if (call.method === 'POST' && call.path.endsWith(end)) throw error;
    return before(call);
  };

test('a new one gets its account, its mark, the Job that plans, and then its status', async () => {
  const fake = cluster(recovery());
  await reconcile(fake);
  expect(fake.writes).toEqual([
    'PATCH serviceaccounts/tidemark-agent',
    'PATCH rolebindings/tidemark-agent',
    'PATCH pitrrecoveries/before',
    'POST jobs',
    'PATCH pitrrecoveries/before/status',
  ]);
  expect(status(fake)).toMatchObject({ phase: 'Preparing', jobName: 'before-plan' });
  expect(JSON.stringify(fake.written('/jobs'))).toContain('plan-recovery');
});

const planned = {
  jobName: 'before-plan',
  plan: { recovery: plan },
  report: { ...report('Succeeded'), pod: 'before-plan-x' },
};

test('a planned one makes the server’s objects, the volume and the Job', async () => {
  const fake = cluster(recovery({ status: planned }), { 'jobs/before-plan': ownedJob('before-plan', 'Complete') });
  await reconcile(fake);
  expect(fake.writes.slice(2)).toEqual([
    'PATCH pitrrecoveries/before',
    'POST statefulsets',
    'POST services',
    'POST persistentvolumeclaims',
    'POST jobs',
    'PATCH pitrrecoveries/before/status',
  ]);
});

test('what was made is removed again where the API server does not take the rest', async () => {
  const own = {
    metadata: {
      name: 'copy',
      uid: 'made',
      resourceVersion: '1',
      annotations: { 'tidemark.dev/recovery-uid': 'uid-of-before' },
    },
    spec: { replicas: 0 },
  };
  const fake = cluster(recovery({ status: planned }), { 'jobs/before-plan': ownedJob('before-plan', 'Complete') });
  const plain = fake.answer;
  fake.answer = refuseCreation(fake, '/services', new ApiError(422, 'Invalid', 'spec.ports: no'), (call) =>
    call.method === 'GET' && call.path.endsWith('/statefulsets/copy') && fake.writes.includes('POST statefulsets')
      ? own
      : plain(call),
  );
  expect(await reconcile(fake)).toBe('done');
  expect(fake.writes.slice(-2)).toEqual(['DELETE statefulsets/copy', 'PATCH pitrrecoveries/before/status']);
  expect(status(fake)).toMatchObject({
    phase: 'Failed',
    conditions: [{ reason: 'TargetRefused' }, { type: 'Stalled' }],
  });
});

test('an object that another has made meanwhile is left alone', async () => {
  const fake = cluster(recovery({ status: planned }), { 'jobs/before-plan': ownedJob('before-plan', 'Complete') });
  const plain = fake.answer;
  const foreign = { metadata: { name: 'copy', uid: 'another', resourceVersion: '1' } };
  fake.answer = refuseCreation(fake, '/statefulsets', new ApiError(409, 'AlreadyExists', 'there is one'), (call) =>
    call.method === 'GET' && call.path.endsWith('/statefulsets/copy') && fake.writes.includes('POST statefulsets')
      ? foreign
      : plain(call),
  );
  await reconcile(fake);
  expect(fake.writes.some((write) => write.startsWith('DELETE'))).toBe(false);
  expect(status(fake)).toMatchObject({
    phase: 'Failed',
    conditions: [{ reason: 'TargetExists' }, { type: 'Stalled' }],
  });
});

test('in place, the replicas are written down in one step, and the workload is scaled in the next', async () => {
  const jobs = { 'jobs/before-plan': ownedJob('before-plan', 'Complete') };
  const first = cluster(recovery({ spec: { target: inPlace }, status: planned }), jobs);
  expect(await reconcile(first)).toEqual({ requeueAfterMilliseconds: 500 });
  expect(first.writes.some((write) => write.includes('statefulsets'))).toBe(false);
  expect(status(first)).toMatchObject({ phase: 'Preparing', replicas: 1 });
  const second = cluster(recovery({ spec: { target: inPlace }, status: { ...planned, replicas: 1 } }), jobs);
  await reconcile(second);
  expect(second.written('/statefulsets/orders-db')).toEqual({
    metadata: { uid: 'uid-of-orders-db' },
    spec: { replicas: 0 },
  });
});

test('in place, it waits while a pod of the workload is still there', async () => {
  const recovering = recovery({ spec: { target: inPlace }, status: { ...planned, replicas: 1 } });
  const fake = cluster(recovering, {
    'jobs/before-plan': ownedJob('before-plan', 'Complete'),
    'statefulsets/orders-db': set('orders-db', { replicas: 0 }),
    pods: {
      items: [{ metadata: { name: 'orders-db-0', labels: { app: 'orders-db' } }, status: { phase: 'Running' } }],
    },
  });
  expect(await reconcile(fake)).toEqual({ requeueAfterMilliseconds: 1_000 });
  expect(fake.writes).not.toContain('POST jobs');
});

test('what the status says now counts, not what was known a moment ago', async () => {
  const fake = cluster(recovery({ spec: { target: inPlace }, status: planned }), {
    'pitrrecoveries/before': recovery({ spec: { target: inPlace }, status: { ...planned, replicas: 1 } }),
    'jobs/before-plan': ownedJob('before-plan', 'Complete'),
    'statefulsets/orders-db': set('orders-db', { replicas: 0 }),
  });
  await reconcile(fake);
  expect(status(fake)).toMatchObject({ replicas: 1, jobName: 'before-recover' });
});

test('one that cannot be read fails, and one that has ended costs nothing', async () => {
  const bad = { ...recovery(), spec: { source: {}, target: {} } } as unknown as ReturnType<typeof recovery>;
  const unreadable = cluster(bad);
  expect(await reconcile(unreadable)).toBe('done');
  expect(status(unreadable)).toMatchObject({
    phase: 'Failed',
    conditions: [{ reason: 'InvalidSpec' }, { type: 'Stalled' }],
  });
  const over = cluster(recovery({ status: { phase: 'Completed' } }));
  expect(await reconcile(over)).toBe('done');
  expect(over.calls).toEqual([]);
});
