import { describe, expect, test } from 'vitest';
import { reconcilePolicy } from '../../../../src/controllers/backup-policy/reconcile.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeObject } from '../../../../src/kube/client.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { ready, repository } from '../objects.ts';
import { archiving, base, finalizers, gathered, source, wal, watcherOf, withSidecar, workload } from './things.ts';

const signal = new AbortController().signal;
const deletionTimestamp = '2026-03-10T11:59:00Z';
const deleted = { finalizers, deletionTimestamp };
const quiet = { schedules: [] };

interface Around {
  readonly policy: ReturnType<typeof archiving>;
  readonly others?: readonly object[];
  readonly runs?: readonly object[];
  readonly objects?: Readonly<Record<string, KubeObject>>;
}

function cluster({
  policy,
  others = [],
  runs = [],
  objects = { 'statefulsets/orders-db': named() },
}: Around): FakeCluster {
  const made = new FakeCluster({
    policies: [policy, ...others],
    repositories: [repository({ status: ready })],
    runs,
  });
  const all = { 'persistentvolumeclaims/backups': claim('ReadWriteMany'), ...objects };
  made.answer = ({ method, path }) =>
    method === 'GET' ? Object.entries(all).find(([end]) => path.endsWith(end))?.[1] : undefined;
  return made;
}

/** Of the repository. */
function claim(...accessModes: readonly string[]) {
  return { metadata: { name: 'backups', namespace: 'shop' }, spec: { accessModes } } as unknown as KubeObject;
}

function named(parts: Parameters<typeof workload>[0] = {}) {
  const found = workload({ ...parts, spec: { serviceName: 'orders-db', ...parts.spec } });
  return found as unknown as KubeObject;
}

const reconcile = (of: FakeCluster) => reconcilePolicy(of.context, 'shop', 'orders', signal);
const writes = (of: FakeCluster) => of.writes.filter((write) => !/serviceaccounts|rolebindings/.test(write));
const conditionsIn = (of: FakeCluster) =>
  (of.written('/status') as { readonly status: { readonly conditions: readonly object[] } } | undefined)?.status
    .conditions;

describe('a policy that archives', () => {
  test('is marked before anything is set, and says what it waits for', async () => {
    const of = cluster({ policy: archiving({ spec: quiet, metadata: { finalizers: [] } }) });
    expect(await reconcile(of)).toEqual({ requeueAfterMilliseconds: 60_000 });
    expect(writes(of)).toEqual([
      'PATCH backuppolicies/orders',
      'PATCH deployments/orders-wal',
      'PATCH backuppolicies/orders/status',
    ]);
    expect(conditionsIn(of)).toContainEqual(
      expect.objectContaining({ type: 'ContinuousArchiving', status: 'Unknown', reason: 'Starting' }),
    );
  });

  test('changes the pods once, and an Event says so', async () => {
    const of = cluster({ policy: archiving({ spec: quiet, wal: wal({ setting: { state: 'RestartNeeded' } }) }) });
    expect(await reconcile(of)).toEqual({ requeueAfterMilliseconds: 5_000 });
    expect(writes(of)).toContain('PATCH statefulsets/orders-db');
    expect(of.events).toContainEqual(expect.objectContaining({ reason: 'WalArchivingRestart' }));
  });

  test('says what the API server does not take, in a condition that stalls it', async () => {
    const of = cluster({ policy: archiving({ spec: quiet, wal: wal() }) });
    const { answer } = of;
    of.answer = (call) => {
      if (call.method === 'PATCH' && call.path.endsWith('statefulsets/orders-db'))
        throw new ApiError(422, 'Invalid', 'spec: no.');
      return answer(call);
    };
    await reconcile(of);
    expect(conditionsIn(of)).toContainEqual(
      expect.objectContaining({ type: 'ContinuousArchiving', status: 'False', reason: 'SidecarRefused' }),
    );
    expect(conditionsIn(of)).toContainEqual(expect.objectContaining({ type: 'Stalled', reason: 'SidecarRefused' }));
    expect(of.events).not.toContainEqual(expect.objectContaining({ reason: 'WalArchivingRestart' }));
  });

  test('does not bring a volume of one node into the server’s pods, and says what to do instead', async () => {
    const objects = { 'statefulsets/orders-db': named(), 'persistentvolumeclaims/backups': claim('ReadWriteOnce') };
    const of = cluster({ policy: archiving({ spec: quiet, metadata: { finalizers: [] } }), objects });
    await reconcile(of);
    expect(writes(of)).toEqual(['PATCH backuppolicies/orders/status']);
    const refusal = { reason: 'ClaimNotShared', message: expect.stringMatching(/ReadWriteOnce.*mode: Stream/) };
    for (const type of ['ContinuousArchiving', 'Ready'])
      expect(conditionsIn(of)).toContainEqual(expect.objectContaining({ type, status: 'False', ...refusal }));
    expect(conditionsIn(of)).toContainEqual(expect.objectContaining({ type: 'Stalled', ...refusal }));
  });

  test('in mode Stream takes any volume', async () => {
    const objects = { 'statefulsets/orders-db': named(), 'persistentvolumeclaims/backups': claim('ReadWriteOnce') };
    const of = cluster({ policy: archiving({ mode: 'Stream', spec: quiet }), objects });
    await reconcile(of);
    expect(writes(of)).toContain('PATCH deployments/orders-wal');
  });

  test('makes a base backup on a new timeline, and says why', async () => {
    const of = cluster({ policy: archiving({ spec: quiet, wal: wal({ timeline: 2 }) }), runs: [base()] });
    await reconcile(of);
    expect(of.written('/backupruns')).toMatchObject({
      metadata: { name: 'orders-timeline-2' },
      spec: { policyRef: { name: 'orders' }, method: 'Physical', type: 'Full' },
    });
    expect(of.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'NewBaseBackup' }));
  });

  test('answers from when to when', async () => {
    const of = cluster({ policy: archiving({ spec: quiet, wal: wal() }), runs: [base()] });
    await reconcile(of);
    expect(of.written('/status')).toMatchObject({
      status: { restorable: { earliestTime: '2026-03-10T03:00:00Z', latestTime: '2026-03-10T11:58:58Z' } },
    });
  });
});

describe('a policy that goes', () => {
  const archived = withSidecar(gathered({ policy: archiving({ wal: wal() }) }));
  const annotations = (
    archived.spec.template as { readonly metadata?: { readonly annotations?: Record<string, string> } }
  ).metadata?.annotations;
  const objects = { 'statefulsets/orders-db': named(annotations === undefined ? {} : { annotations }) };

  test('waits while its settings are taken back, keeps its status, and says how to let it go', async () => {
    const status = { observedGeneration: 1, nextScheduleTime: '2026-03-11T03:00:00Z' };
    const of = cluster({ policy: archiving({ metadata: deleted, wal: wal(), status }), objects });
    expect(await reconcile(of)).toEqual({ requeueAfterMilliseconds: 5_000 });
    expect(writes(of)).toEqual(['PATCH deployments/orders-wal', 'PATCH backuppolicies/orders/status']);
    expect(of.written('/status')).toMatchObject({ status });
    expect(conditionsIn(of)).toMatchObject([{ type: 'ContinuousArchiving', status: 'False', reason: 'TakingBack' }]);
  });

  test('goes when nothing is left, and takes its watcher along', async () => {
    const policy = archiving({ metadata: deleted, wal: wal({ setting: { state: 'Removed' } }) });
    const of = cluster({
      policy,
      objects: { 'statefulsets/orders-db': named(), 'deployments/orders-wal': watcherOf('None') },
    });
    await reconcile(of);
    expect(writes(of).slice(0, 2)).toEqual(['DELETE deployments/orders-wal', 'PATCH backuppolicies/orders']);
  });

  test('leaves a Deployment alone that only has its watcher’s name', async () => {
    const abandoned = { ...deleted, annotations: { 'tidemark.dev/abandon-archiving': 'true' } };
    const of = cluster({
      policy: archiving({ metadata: abandoned, wal: wal() }),
      objects: { ...objects, 'deployments/orders-wal': watcherOf('None', 'somebody-else') },
    });
    await reconcile(of);
    expect(writes(of).some((write) => write.startsWith('DELETE'))).toBe(false);
    expect(writes(of)).toContain('PATCH backuppolicies/orders');
  });

  test.each([
    ['Archive', wal(), /ALTER SYSTEM RESET archive_command; .* tidemark-wal/],
    ['Stream', wal({ slot: { name: 'tidemark_shop_orders' } }), /pg_drop_replication_slot\('tidemark_shop_orders'\)/],
    ['Stream', undefined, /pg_drop_replication_slot\('tidemark_shop_orders_[0-9a-f]+'\)/],
  ] as const)('and takes nothing back says what stays of mode %s', async (mode, said, stays) => {
    const metadata = { ...deleted, annotations: { 'tidemark.dev/abandon-archiving': 'true' } };
    const of = cluster({
      policy: archiving({ mode, metadata, ...(said === undefined ? {} : { wal: said }) }),
      objects,
    });
    await reconcile(of);
    expect(of.events).toMatchObject([
      { type: 'Warning', reason: 'ArchivingAbandoned', note: expect.stringMatching(stays) },
    ]);
    expect(writes(of)).toContain('PATCH backuppolicies/orders');
    expect(writes(of)).not.toContain('PATCH statefulsets/orders-db');
  });

  test.each(['serviceaccounts', 'deployments'])('is let go where its namespace takes no %s any more', async (what) => {
    const host = { host: 'db.example', credentialsSecretRef: source.credentialsSecretRef };
    const of = cluster({
      policy: archiving({ mode: 'Stream', spec: { source: host }, metadata: deleted, wal: wal() }),
    });
    of.answer = ({ method, path }) => {
      if (method === 'PATCH' && path.includes(`/${what}/`))
        throw new ApiError(403, 'Forbidden', 'forbidden: because it is being terminated');
    };
    expect(await reconcile(of)).toBe('done');
    expect(of.writes.at(-1)).toBe('PATCH backuppolicies/orders');
  });

  test('and never archived costs nothing', async () => {
    const of = cluster({ policy: archiving({ mode: 'None', metadata: { deletionTimestamp, finalizers: ['other'] } }) });
    expect(await reconcile(of)).toBe('done');
    expect(of.calls).toEqual([]);
  });
});
