import { expect, test } from 'vitest';
import { buildSidecar, withoutSidecar } from '../../../../src/controllers/archiving/build-sidecar.ts';
import { agent, repository } from '../objects.ts';
import { taskIn } from './tasks.ts';
import { annotationsOf, archiving, hashIn, server, systemIdentifier, workload } from './things.ts';

const s3 = {
  s3: {
    endpoint: 'https://s3.example',
    region: 'eu',
    bucket: 'backups',
    credentialsSecretRef: { name: 's3' },
    caBundleSecretRef: { name: 'ca', key: 'ca.crt' },
  },
};
const parts = {
  policy: archiving(),
  workload: server(),
  repositories: [{ name: 'store', spec: repository({ spec: s3 }).spec }],
  systemIdentifier,
  agent,
};

interface Applied {
  readonly initContainers: readonly {
    readonly name: string;
    readonly image: string;
    readonly restartPolicy: string;
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly securityContext: object;
    readonly resources: { readonly limits: object };
    readonly startupProbe: object;
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly containers: readonly object[];
  readonly volumes: readonly { readonly name: string; readonly projected?: { readonly defaultMode: number } }[];
  readonly imagePullSecrets?: readonly object[];
}

function applied(change: Partial<typeof parts> = {}): Applied {
  const { template } = buildSidecar({ ...parts, ...change })['spec'] as {
    readonly template: { readonly spec: Applied };
  };
  return template.spec;
}

test('a native sidecar shares an emptyDir with the server, whose container gets the mount and nothing else', () => {
  const { initContainers, containers, volumes } = applied();
  expect(initContainers).toHaveLength(1);
  expect(initContainers[0]).toMatchObject({ name: 'tidemark-wal', image: 'agent:1', restartPolicy: 'Always' });
  expect(containers).toEqual([
    { name: 'postgres', volumeMounts: [{ name: 'tidemark-wal', mountPath: '/var/run/tidemark/wal' }] },
  ]);
  expect(volumes[0]).toEqual({ name: 'tidemark-wal', emptyDir: {} });
});

test('the sidecar has enough memory for several segments of 16 MiB, and goes through larger ones in pieces', () => {
  const [sidecar] = applied().initContainers;
  expect(sidecar?.resources.limits).toEqual({ memory: '768Mi' });
});

test('the server starts only when the script is there', () => {
  expect(applied().initContainers[0]?.startupProbe).toMatchObject({
    exec: { command: ['sh', '-c', '[ -e /var/run/tidemark/wal/archive.sh ]'] },
  });
});

test('it holds to the restricted Pod Security Standard in a pod that says nothing', () => {
  expect(applied().initContainers[0]?.securityContext).toEqual({
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  });
});

test('it is told whose WAL goes where, by a task that an agent reads', () => {
  const { env } = applied().initContainers[0] ?? { env: [] };
  expect(taskIn(env)).toMatchObject({
    policy: { name: 'orders', uid: 'uid-of-orders' },
    systemIdentifier,
    maxParallel: 8,
    compression: { algorithm: 'zstd', level: 1 },
    repositories: [{ name: 'store' }],
  });
});

test('its other volumes bear names that are nobody else’s, and Secrets are readable without a group of the pod', () => {
  const { volumes, initContainers } = applied();
  expect(volumes.every(({ name }) => name.startsWith('tidemark-wal'))).toBe(true);
  const mounted = initContainers[0]?.volumeMounts.map(({ name }) => name) ?? [];
  expect(volumes.map(({ name }) => name).toSorted()).toEqual(mounted.toSorted());
  const secrets = volumes.filter(({ projected }) => projected !== undefined);
  expect(secrets).toHaveLength(2);
  expect(secrets.map(({ projected }) => projected?.defaultMode)).toEqual([0o444, 0o444]);
});

test.each([
  ['S3 with a CA of its own', [s3]],
  ['a volume', [{ volume: { claimName: 'backups' } }]],
  ['both, one beside the other', [s3, { volume: { claimName: 'backups' } }, s3]],
])('into a repository of %s, nothing comes into the pod but what is ours by its name', (_, specs) => {
  const repositories = specs.map((spec, index) => ({ name: `store-${index}`, spec: repository({ spec }).spec }));
  const { initContainers, containers, volumes } = applied({ repositories });
  const mounted = initContainers.flatMap(({ volumeMounts }) => volumeMounts);
  for (const { name } of [...initContainers, ...volumes, ...mounted]) expect(name).toMatch(/^tidemark-wal(-|$)/);
  expect(new Set(volumes.map(({ name }) => name)).size).toBe(volumes.length);
  expect(new Set(mounted.map(({ mountPath }) => mountPath)).size).toBe(mounted.length);
  expect(containers.map((container) => Object.keys(container))).toEqual([['name', 'volumeMounts']]);
  expect(Object.keys(buildSidecar({ ...parts, repositories }))).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  for (const { projected } of volumes) expect(projected?.defaultMode ?? 0o444).toBe(0o444);
});

test('the pod gets the pull secrets of the agent’s image, and none where there are none', () => {
  expect(applied({ agent: { ...agent, imagePullSecrets: ['pull'] } as never }).imagePullSecrets).toEqual([
    { name: 'pull' },
  ]);
  expect(applied()).not.toHaveProperty('imagePullSecrets');
});

test('a sidecar that is there keeps its image, so that a new version of Tidemark restarts nobody', () => {
  const present = server(workload({ pod: { initContainers: [{ name: 'tidemark-wal', image: 'agent:0' }] } }));
  const newer = { ...agent, image: 'agent:2' } as never;
  expect(applied({ workload: present, agent: newer }).initContainers[0]?.image).toBe('agent:0');
  const before = buildSidecar({ ...parts, workload: present });
  expect(hashIn(buildSidecar({ ...parts, workload: present, agent: newer }))).toBe(hashIn(before));
});

test('its mark changes with what it does, and says whose it is', () => {
  const before = buildSidecar(parts);
  expect(hashIn(buildSidecar(parts))).toBe(hashIn(before));
  expect(hashIn(buildSidecar({ ...parts, systemIdentifier: '1' }))).not.toBe(hashIn(before));
  expect(annotationsOf(before)['tidemark.dev/wal-policy']).toBe('orders');
});

test('an apply of nothing takes all of it back', () => {
  expect(withoutSidecar('shop', server())).toEqual({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'orders-db', namespace: 'shop' },
  });
});
