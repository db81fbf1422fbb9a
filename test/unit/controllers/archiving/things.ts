import type { WalStatus } from '../../../../src/api/backup-policy.ts';
import { watcherName } from '../../../../src/controllers/archiving/build-watcher.ts';
import { decideArchiving, type GatheredArchiving } from '../../../../src/controllers/archiving/decide.ts';
import { sidecarHash } from '../../../../src/controllers/archiving/marks.ts';
import {
  readServer,
  type ServerWorkload,
  type WorkloadObject,
} from '../../../../src/controllers/pitr-recovery/server.ts';
import { isRefusal } from '../../../../src/controllers/refusal.ts';
import type { KubeObject } from '../../../../src/kube/client.ts';
import type { Desired } from '../../../../src/kube/objects.ts';
import { agent, now, policy, ready, repository, run } from '../objects.ts';

type Change = Readonly<Record<string, unknown>>;

export const source = {
  workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
  credentialsSecretRef: { name: 'db' },
};
export const systemIdentifier = '7312000000000000001';
export const finalizers = ['tidemark.dev/wal-archiving'];

interface PolicyParts {
  readonly mode?: 'Archive' | 'Stream' | 'None';
  readonly name?: string;
  readonly spec?: Change;
  readonly metadata?: Change;
  readonly wal?: WalStatus;
  readonly status?: Change;
}

/** A policy that archives, as it stands after its first reconcile. */
export function archiving({ mode = 'Archive', name = 'orders', ...parts }: PolicyParts = {}) {
  return policy({
    name,
    metadata: { finalizers, ...parts.metadata },
    spec: { source, walArchiving: { mode }, ...parts.spec },
    status: { ...(parts.wal === undefined ? {} : { wal: parts.wal }), ...parts.status },
  });
}

/** What the watcher said a minute ago, after a look that saw everything. */
export function wal(change: Partial<WalStatus> = {}): WalStatus {
  const time = '2026-03-10T11:59:00Z';
  return {
    systemIdentifier,
    timeline: 1,
    segmentSize: 16_777_216,
    lastArchivedSegment: '000000010000000000000007',
    lastCommitTime: '2026-03-10T11:58:58Z',
    lagBytes: '1048576',
    lagSeconds: 12,
    pendingSegments: 0,
    gaps: [],
    report: { healthy: true, reason: 'Archiving', message: 'WAL is archived.', time },
    ...change,
    setting: { state: 'Set', systemIdentifier, time, ...change.setting },
  };
}

const container = { name: 'postgres', image: 'postgres:17', ports: [{ containerPort: 5432 }] };

interface WorkloadParts {
  readonly kind?: 'StatefulSet' | 'Deployment';
  readonly spec?: Change;
  readonly status?: Change;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly pod?: Change;
}

/** A workload whose pods are all those of its template. */
export function workload({ kind = 'StatefulSet', ...parts }: WorkloadParts = {}): WorkloadObject {
  const revision = { currentRevision: 'a', updateRevision: 'a' };
  return {
    kind,
    metadata: { name: 'orders-db', namespace: 'shop', uid: 'uid-of-orders-db', resourceVersion: '1', generation: 2 },
    spec: {
      replicas: 1,
      ...parts.spec,
      template: {
        ...{ metadata: { annotations: parts.annotations ?? {} } },
        spec: { containers: [container], ...parts.pod },
      },
    },
    status: {
      observedGeneration: 2,
      readyReplicas: 1,
      updatedReplicas: 1,
      ...(kind === 'StatefulSet' ? revision : {}),
      ...parts.status,
    },
  } as WorkloadObject;
}

export function server(object: WorkloadObject = workload()): ServerWorkload {
  const found = readServer('StatefulSet', object, { container: undefined, port: 5432 });
  if (isRefusal(found)) throw new Error(found.message);
  return found;
}

/** Of the repository that a policy has where nothing else is said. */
export const sharedClaim = { repository: 'store', name: 'backups', accessModes: ['ReadWriteMany'] };

export function gathered(change: Partial<GatheredArchiving> = {}): GatheredArchiving {
  return {
    policy: archiving(),
    repositories: [repository({ status: ready })],
    hosts: ['orders-db-0.orders-db.shop.svc'],
    account: undefined,
    claims: [sharedClaim],
    workload: workload(),
    watcher: undefined,
    holder: undefined,
    agent,
    now,
    ...change,
  };
}

/** The watcher's Deployment as the API server has it. */
export function watcherOf(mode: 'Archive' | 'Stream' | 'None', uid = 'uid-of-orders'): KubeObject {
  return {
    metadata: {
      name: watcherName('orders'),
      namespace: 'shop',
      uid: 'uid-of-watcher',
      resourceVersion: '1',
      annotations: { 'tidemark.dev/wal-mode': mode },
      ownerReferences: [{ apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupPolicy', name: 'orders', uid }],
    },
  };
}

/** The workload after the sidecar was applied to it. */
export function withSidecar(of: GatheredArchiving, parts: WorkloadParts = {}): WorkloadObject {
  const { workload: change } = decideArchiving(of);
  if (change === undefined) throw new Error('no sidecar is due');
  return workload({ ...parts, annotations: annotationsOf(change.patch) });
}

export function annotationsOf(patch: Desired): Readonly<Record<string, string>> {
  const { template } = patch['spec'] as {
    readonly template: { readonly metadata: { readonly annotations: Readonly<Record<string, string>> } };
  };
  return template.metadata.annotations;
}

export function hashIn(patch: Desired): string | undefined {
  return annotationsOf(patch)[sidecarHash];
}

interface BackupParts {
  readonly name?: string;
  readonly phase?: string;
  readonly at?: string;
  readonly timeline?: number;
  readonly beginSegment?: string;
  readonly of?: string;
}

/** A physical backup. */
export function base({ name = 'base', phase = 'Completed', at = '2026-03-10T03:00:00Z', ...parts }: BackupParts = {}) {
  const { timeline = 1, beginSegment = '000000010000000000000002', of = systemIdentifier } = parts;
  return run({
    name,
    metadata: { creationTimestamp: at },
    spec: { method: 'Physical' },
    status: { phase, completionTime: at, server: { timeline, systemIdentifier: of }, wal: { beginSegment } },
  });
}
