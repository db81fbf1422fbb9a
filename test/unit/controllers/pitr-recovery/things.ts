import type { RecoveryPlan } from '../../../../src/api/pitr-recovery.ts';
import type { Gathered, WorkloadState } from '../../../../src/controllers/pitr-recovery/gathered.ts';
import type { ServerWorkload } from '../../../../src/controllers/pitr-recovery/server.ts';
import type { Surroundings } from '../../../../src/controllers/pitr-recovery/surroundings.ts';
import { agent, now, policy, recovery, repository } from '../objects.ts';

/** A StatefulSet with all that a user's may have, and what Tidemark puts into it. */
export function server(change: Partial<ServerWorkload> = {}): ServerWorkload {
  const container = {
    name: 'postgres',
    image: 'postgres:17',
    args: ['-c', 'shared_buffers=128MB'],
    env: [{ name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
    ports: [{ name: 'postgres', containerPort: 5432 }],
    resources: { limits: { memory: '1Gi' } },
    readinessProbe: { exec: { command: ['pg_isready'] } },
    volumeMounts: [
      { name: 'pgdata', mountPath: '/var/lib/postgresql/data' },
      { name: 'config', mountPath: '/etc/postgresql' },
      { name: 'data', mountPath: '/data' },
      { name: 'archive', mountPath: '/archive' },
      { name: 'tidemark-wal', mountPath: '/var/run/tidemark/wal' },
      { name: 'kube-api-access-x', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ],
  };
  return {
    kind: 'StatefulSet',
    name: 'orders-db',
    container,
    pod: {
      serviceAccountName: 'orders',
      securityContext: { runAsUser: 999, fsGroup: 999 },
      nodeSelector: { disk: 'fast' },
      imagePullSecrets: [{ name: 'pull' }],
      affinity: { nodeAffinity: { a: 1 }, podAntiAffinity: { b: 2 } },
      topologySpreadConstraints: [{}],
      initContainers: [
        {
          name: 'own',
          image: 'busybox',
          volumeMounts: [{ name: 'pgdata', mountPath: '/var/lib/postgresql/data' }],
        },
        { name: 'tidemark-wal', image: 'agent:1', restartPolicy: 'Always' },
        { name: 'metrics', image: 'exporter', restartPolicy: 'Always' },
      ],
      containers: [container, { name: 'shipper', image: 'wal-g' }],
      volumes: [
        { name: 'config', configMap: { name: 'postgres' } },
        { name: 'data', emptyDir: {} },
        { name: 'archive', persistentVolumeClaim: { claimName: 'archive' } },
        { name: 'tidemark-wal', emptyDir: {} },
        { name: 'tidemark-repository-0', projected: {} },
        { name: 'kube-api-access-x', projected: {} },
        { name: 'unused', secret: { secretName: 'x' } },
      ],
    },
    claimTemplates: [{ metadata: { name: 'pgdata' }, spec: { storageClassName: 'fast' } }],
    ...change,
  };
}

export const plan: RecoveryPlan = {
  backupID: '20260310T000000Z-physical-full',
  backupPath: 'shop/orders/1/backups/20260310T000000Z-physical-full',
  repository: 'store',
  namespace: 'shop',
  policy: 'orders',
  systemIdentifier: '7312',
  major: 17,
  version: '17.2',
  segmentSize: 16_777_216,
  beginLSN: '0/2000028',
  endLSN: '0/2000100',
  beginTimeline: 1,
  targetTimeline: 1,
  endOfArchive: '0/9000000',
  bytes: String(4 * 2 ** 30),
  dataDirectory: '/var/lib/postgresql/data/pgdata',
  uid: 999,
  gid: 998,
  settings: [],
};

export const surroundings: Surroundings = {
  source: {
    task: { repository: { name: 'store', spec: repository().spec }, namespace: 'shop', policy: 'orders' },
    port: 5432,
    workload: { kind: 'StatefulSet', name: 'orders-db' },
    container: undefined,
    template: policy().spec.jobTemplate,
    passOver: [],
  },
  server: server(),
  claim: { name: 'pgdata-orders-db-0', storageClassName: 'fast', capacity: '20Gi' },
  extractHosts: [],
};

export function workload(change: Partial<WorkloadState> = {}): WorkloadState {
  return {
    kind: 'StatefulSet',
    name: 'orders-db',
    uid: 'uid-of-orders-db',
    replicas: 1,
    ready: true,
    pods: 1,
    losesClaims: false,
    ...change,
  };
}

export function gathered(change: Partial<Gathered> = {}): Gathered {
  return {
    recovery: recovery(),
    planJob: undefined,
    recoverJob: undefined,
    activePods: [],
    surroundings,
    account: undefined,
    namesakes: [],
    workload: undefined,
    rival: undefined,
    agent,
    now,
    ...change,
  };
}

export const inPlace = { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } };
