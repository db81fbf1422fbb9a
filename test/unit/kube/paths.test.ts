import { expect, test } from 'vitest';
import { resourcePath, resourceType } from '../../../src/kube/paths.ts';

test.each([
  ['Pod', {}, '/api/v1/pods'],
  ['Pod', { namespace: 'shop', name: 'orders-0' }, '/api/v1/namespaces/shop/pods/orders-0'],
  ['CronJob', { namespace: 'shop' }, '/apis/batch/v1/namespaces/shop/cronjobs'],
  [
    'BackupRun',
    { namespace: 'shop', name: 'x', subresource: 'status' },
    '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/x/status',
  ],
  ['Lease', { namespace: 'a', name: 'b' }, '/apis/coordination.k8s.io/v1/namespaces/a/leases/b'],
  ['Event', { namespace: 'a' }, '/apis/events.k8s.io/v1/namespaces/a/events'],
] as const)('%s at %j', (kind, place, path) => {
  expect(resourcePath(kind, place)).toBe(path);
});

test('a name cannot lead anywhere else', () => {
  const path = resourcePath('Job', { namespace: 'shop', name: '../../secrets?x=1#y' });
  expect(path).toBe('/apis/batch/v1/namespaces/shop/jobs/..%2F..%2Fsecrets%3Fx%3D1%23y');
  expect(new URL(path, 'https://host').pathname).toBe(path);
  for (const name of ['', '.', '..']) {
    expect(() => resourcePath('Job', { namespace: 'shop', name })).toThrow('is no name of a Kubernetes object');
    expect(() => resourcePath('Job', { namespace: name, name: 'x' })).toThrow('is no name of a Kubernetes object');
  }
});

test('a kind that Tidemark does not deal with has no path', () => {
  expect(() => resourceType('Secret')).toThrow('Secret is no kind that Tidemark deals with');
});
