import { describe, expect, test } from 'vitest';
import {
  buildClaim,
  buildService,
  buildStatefulSet,
  type InstanceParts,
} from '../../../../src/controllers/pitr-recovery/build-instance.ts';
import { placeLike, placePlainly } from '../../../../src/controllers/pitr-recovery/place.ts';
import { recovery } from '../objects.ts';
import { plan, server } from './things.ts';

interface Pod {
  readonly containers: readonly {
    readonly name: string;
    readonly command?: readonly string[];
    readonly volumeMounts: readonly object[];
  }[];
  readonly initContainers?: readonly { readonly name: string; readonly volumeMounts: readonly object[] }[];
  readonly volumes: readonly { readonly name: string }[];
  readonly [field: string]: unknown;
}
interface Set {
  readonly metadata: { readonly labels: object; readonly ownerReferences?: object };
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: object };
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
  };
}

function parts(change: Partial<InstanceParts> = {}): InstanceParts {
  return {
    recovery: recovery(),
    instance: { name: 'copy', storage: { size: '10Gi', storageClassName: 'fast' } },
    server: server(),
    image: 'postgres:17',
    port: 5432,
    sourceDirectory: plan.dataDirectory,
    place: placeLike(server(), plan.dataDirectory),
    major: 17,
    owner: { uid: 999, gid: 998 },
    ...change,
  };
}
const set = (change?: Partial<InstanceParts>) => buildStatefulSet(parts(change)) as unknown as Set;

test('the claim is the one that the StatefulSet’s first pod adopts', () => {
  expect(buildClaim(parts())).toMatchObject({
    metadata: { name: 'data-copy-0', annotations: { 'tidemark.dev/recovery-uid': 'uid-of-before' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } }, storageClassName: 'fast' },
  });
  expect(set().spec).toMatchObject({
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: buildClaim(parts())['spec'] }],
  });
});

test('the Service leads to the new pods alone, each with a name of its own', () => {
  expect(buildService(parts())).toMatchObject({
    metadata: { name: 'copy' },
    spec: { clusterIP: 'None', selector: { 'app.kubernetes.io/name': 'copy' }, ports: [{ port: 5432 }] },
  });
});

describe('the StatefulSet', () => {
  test('is the user’s afterwards, and begins without a pod', () => {
    expect(set().spec).toMatchObject({ replicas: 0, serviceName: 'copy' });
    expect(set().metadata.ownerReferences).toBeUndefined();
  });

  test('never has the source’s labels, or the source’s Service would lead its clients here', () => {
    expect(set().spec.selector.matchLabels).toEqual({ 'app.kubernetes.io/name': 'copy' });
    expect(set().spec.template.metadata.labels).toEqual({ 'app.kubernetes.io/name': 'copy' });
  });

  test('runs the server as the source does', () => {
    const { spec } = set({ image: 'postgres:17.9' }).spec.template;
    expect(spec).toMatchObject({
      serviceAccountName: 'orders',
      securityContext: { runAsUser: 999, fsGroup: 999 },
      nodeSelector: { disk: 'fast' },
      imagePullSecrets: [{ name: 'pull' }],
    });
    expect(spec.containers).toMatchObject([
      {
        name: 'postgres',
        image: 'postgres:17.9',
        args: ['-c', 'shared_buffers=128MB'],
        env: [{ name: 'POSTGRES_PASSWORD' }],
        resources: { limits: { memory: '1Gi' } },
        readinessProbe: { exec: { command: ['pg_isready'] } },
      },
    ]);
  });

  test('has its own data volume in the place of the source’s, and what configures the server', () => {
    const { containers, volumes } = set().spec.template.spec;
    expect(containers[0]?.volumeMounts).toEqual([
      { name: 'data', mountPath: '/var/lib/postgresql/data' },
      { name: 'config', mountPath: '/etc/postgresql' },
      { name: 'source-data', mountPath: '/data' },
    ]);
    expect(volumes).toEqual([
      { name: 'config', configMap: { name: 'postgres' } },
      { name: 'source-data', emptyDir: {} },
    ]);
  });

  test('has nothing of Tidemark’s, no sidecar, and nothing that ties it to the source’s pods', () => {
    const { spec } = set().spec.template;
    expect(spec.initContainers).toEqual([
      { name: 'own', image: 'busybox', volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }] },
    ]);
    expect(spec['affinity']).toEqual({ nodeAffinity: { a: 1 } });
    expect(spec['topologySpreadConstraints']).toBeUndefined();
    expect(JSON.stringify(set().spec)).not.toMatch(/tidemark|exporter|wal-g|kube-api-access|"archive"/);
  });

  test('is a plain one where nothing of the source is in the cluster', () => {
    const place = placePlainly('/var/lib/postgresql/15/main');
    const { spec } = set({ server: undefined, place, image: 'debian-postgres', port: 5433 }).spec.template;
    expect(spec).toMatchObject({ securityContext: { runAsUser: 999, fsGroup: 998, runAsNonRoot: true } });
    expect(spec.containers).toMatchObject([
      {
        image: 'debian-postgres',
        ports: [{ containerPort: 5433 }],
        volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/15/main' }, { name: 'tmp' }],
      },
    ]);
    expect(spec.containers[0]?.command?.slice(3)).toEqual(['sh', '/var/lib/postgresql/15/main/pgdata', '5433', '17']);
  });
});
