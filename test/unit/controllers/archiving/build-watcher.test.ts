import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  buildWatcher,
  slotName,
  type WatcherParts,
  watcherName,
} from '../../../../src/controllers/archiving/build-watcher.ts';
import type { Desired } from '../../../../src/kube/objects.ts';
import { agent, repository } from '../objects.ts';
import { taskIn } from './tasks.ts';
import { archiving, wal } from './things.ts';

const parts: WatcherParts = {
  policy: archiving(),
  mode: 'Archive',
  server: {
    hosts: ['orders-db-0.orders-db.shop.svc'],
    port: 5432,
    database: 'postgres',
    role: 'PreferStandby',
    credentialsSecretName: 'db',
  },
  repositories: [{ name: 'store', spec: repository().spec }],
  agent,
};

interface Deployment extends Desired {
  readonly metadata: Desired['metadata'] & {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly replicas: number;
    readonly strategy: object;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly annotations?: object };
      readonly spec: {
        readonly restartPolicy: string;
        readonly serviceAccountName: string;
        readonly containers: readonly {
          readonly env: readonly { readonly name: string; readonly value?: string }[];
          readonly volumeMounts: readonly { readonly mountPath: string }[];
          readonly resources: { readonly limits: object };
        }[];
      };
    };
  };
}

function built(change: Partial<WatcherParts> = {}): Deployment {
  return buildWatcher({ ...parts, ...change }) as unknown as Deployment;
}

test('one pod at most, under the agents’ account, that belongs to its policy', () => {
  const { metadata, spec } = built();
  expect(metadata).toMatchObject({
    name: 'orders-wal',
    namespace: 'shop',
    labels: { 'app.kubernetes.io/managed-by': 'tidemark', 'tidemark.dev/policy': 'orders' },
    ownerReferences: [{ kind: 'BackupPolicy', name: 'orders', uid: 'uid-of-orders' }],
  });
  expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
  expect(spec.template.spec).toMatchObject({ restartPolicy: 'Always', serviceAccountName: 'tidemark-agent' });
  expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  expect(spec.selector.matchLabels).toEqual({ 'tidemark.dev/policy': 'orders', 'tidemark.dev/action': 'watch-wal' });
});

test('it has the login of the server and the repository, and watches the primary whatever backups prefer', () => {
  const [container] = built().spec.template.spec.containers;
  expect(taskIn(container?.env ?? [])).toMatchObject({
    action: 'watch-wal',
    mode: 'Archive',
    server: { role: 'Primary', port: 5432 },
    archiveTimeoutSeconds: 60,
  });
  const paths = container?.volumeMounts.map(({ mountPath }) => mountPath) ?? [];
  expect(paths.some((path) => path.includes('credentials'))).toBe(true);
  expect(paths.some((path) => path.includes('repositor'))).toBe(true);
});

test('annotations of jobTemplate hold for its pod, and those that keep autoscalers off do not', () => {
  const policy = archiving({ spec: { jobTemplate: { annotations: { 'sidecar.istio.io/inject': 'false' } } } });
  expect(built({ policy }).spec.template.metadata.annotations).toEqual({ 'sidecar.istio.io/inject': 'false' });
  expect(built().spec.template.metadata).not.toHaveProperty('annotations');
});

test('its hash and its mode tell one that is to be replaced', () => {
  const hash = (of: Deployment) => of.metadata.annotations['tidemark.dev/task-hash'];
  const archive = built();
  expect(hash(built())).toBe(hash(archive));
  expect(hash(built({ mode: 'None' }))).not.toBe(hash(archive));
  expect(hash(built({ agent: { ...agent, image: 'agent:2' } }))).not.toBe(hash(archive));
  expect(built({ mode: 'None' }).metadata.annotations['tidemark.dev/wal-mode']).toBe('None');
});

test('what is too much to be told to it is refused', () => {
  const hosts = Array.from({ length: 2000 }, (_, index) => `orders-db-${index}.${'x'.repeat(60)}.shop.svc`);
  expect(buildWatcher({ ...parts, server: { ...parts.server, hosts } })).toMatchObject({ reason: 'TaskTooLarge' });
});

test.each([
  ['shop', 'orders'],
  ['a-very-long-namespace-of-a-very-long-team', 'and-the-longest-name-that-a-policy-may-have-is-here'],
  ['shop', 'or.ders'],
])('the slot of %s/%s has a name that PostgreSQL takes', (namespace, name) => {
  expect(slotName(namespace, name)).toMatch(/^[a-z0-9_]{1,63}$/);
});

test('any two names make slots that PostgreSQL takes, and two pairs of names make two', () => {
  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  const subdomain = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
  const pair = fc.tuple(label, subdomain);
  fc.assert(
    fc.property(pair, pair, (one, other) => {
      expect(slotName(...one)).toMatch(/^[a-z0-9_]{1,63}$/);
      expect(slotName(...one) === slotName(...other)).toBe(one.join('/') === other.join('/'));
    }),
  );
});

test.each(['Archive', 'Stream', 'None'] as const)('an agent reads its task in mode %s', (mode) => {
  const [container] = built({ mode }).spec.template.spec.containers;
  expect(taskIn(container?.env ?? [])).toMatchObject({ action: 'watch-wal', mode, slot: slotName('shop', 'orders') });
});

test('two policies never share a slot', () => {
  expect(slotName('a', 'b-c')).not.toBe(slotName('a-b', 'c'));
  expect(watcherName('orders')).toBe('orders-wal');
});

test.each<[number | undefined, object, string]>([
  [undefined, {}, '512Mi'],
  [16, {}, '512Mi'],
  [64, {}, '512Mi'],
  [1024, {}, '512Mi'],
  [1024, { limits: { memory: '2Gi' } }, '2Gi'],
  [1024, { requests: { memory: '1Gi' } }, '1Gi'],
])('with segments of %j MiB and resources %j it has up to %s of memory', (megabytes, resources, memory) => {
  const status = megabytes === undefined ? {} : { wal: wal({ segmentSize: megabytes * 1024 ** 2 }) };
  const policy = archiving({ spec: { jobTemplate: { resources } }, ...status });
  expect(built({ policy }).spec.template.spec.containers[0]?.resources.limits).toEqual({ memory });
});
