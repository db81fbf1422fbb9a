import { expect, test } from 'vitest';
import { findHosts } from '../../../src/controllers/find-hosts.ts';
import { FakeCluster } from './fake-cluster.ts';

const signal = new AbortController().signal;
const labels = { app: 'db' };
const workload = (spec: object) => ({
  metadata: { name: 'db' },
  spec: { template: { metadata: { labels } }, ...spec },
});
const service = (name: string, port: number, selector: object = labels) => ({
  metadata: { name },
  spec: { selector, ports: [{ port }] },
});

function find(kind: 'StatefulSet' | 'Deployment' | 'Pod', objects: Readonly<Record<string, unknown>>, port = 5432) {
  const cluster = new FakeCluster();
  cluster.answer = ({ path }) => objects[path.split('/namespaces/shop/')[1] ?? ''];
  return findHosts(cluster.client, 'shop', { workloadRef: { kind, name: 'db' }, port }, signal);
}

test('a host is itself', async () => {
  expect(await findHosts(new FakeCluster().client, 'shop', { host: 'db.example', port: 5432 }, signal)).toEqual([
    'db.example',
  ]);
});

test('a StatefulSet’s pods have names of their own, also while it is scaled down', async () => {
  const set = (replicas: number) => ({ 'statefulsets/db': workload({ serviceName: 'db-headless', replicas }) });
  expect(await find('StatefulSet', set(2))).toEqual(['db-0.db-headless.shop.svc', 'db-1.db-headless.shop.svc']);
  expect(await find('StatefulSet', set(0))).toEqual(['db-0.db-headless.shop.svc']);
});

test('a Deployment is reached through the Service that selects its pods and has the port', async () => {
  const items = [
    service('other', 5432, { app: 'web' }),
    service('metrics', 9187),
    service('none', 5432, {}),
    service('db', 5432),
  ];
  const objects = { 'deployments/db': workload({}), services: { items } };
  expect(await find('Deployment', objects)).toEqual(['db.shop.svc']);
  expect(await find('Deployment', objects, 6432)).toMatchObject({ reason: 'TargetNotReachable', mayCome: true });
});

test('a StatefulSet without a Service of its own is reached as a Deployment is', async () => {
  const objects = { 'statefulsets/db': workload({ serviceName: '' }), services: { items: [service('db', 5432)] } };
  expect(await find('StatefulSet', objects)).toEqual(['db.shop.svc']);
});

test('a Pod is reached by its own name, through a Service, or by its address', async () => {
  const pod = (spec: object, status: object = {}) => ({
    'pods/db': { metadata: { name: 'db', labels }, spec, status },
    services: { items: [] },
  });
  expect(await find('Pod', pod({ hostname: 'one', subdomain: 'db' }))).toEqual(['one.db.shop.svc']);
  expect(await find('Pod', { ...pod({}), services: { items: [service('db', 5432)] } })).toEqual(['db.shop.svc']);
  expect(await find('Pod', pod({}, { podIP: '10.0.0.7' }))).toEqual(['10.0.0.7']);
  expect(await find('Pod', pod({}))).toMatchObject({ reason: 'TargetNotReachable' });
});

test.each(['StatefulSet', 'Deployment', 'Pod'] as const)('a %s that is not there is named', async (kind) => {
  const found = await find(kind, {});
  expect(found).toMatchObject({ reason: 'TargetNotFound', mayCome: true });
  expect('message' in found && found.message).toContain(`${kind} shop/db does not exist`);
});
