import { expect, test } from 'vitest';
import {
  readServer,
  serverPort,
  statedDataDirectory,
  type WorkloadObject,
} from '../../../../src/controllers/pitr-recovery/server.ts';
import { selectorText } from '../../../../src/controllers/pitr-recovery/workload-state.ts';

const wanted = { container: undefined, port: 5432 };

function workload(...containers: readonly object[]): WorkloadObject {
  return {
    metadata: { name: 'db', uid: 'u', resourceVersion: '1' },
    spec: { template: { spec: { containers } } },
  } as unknown as WorkloadObject;
}

test.each<[string, readonly object[], string | undefined]>([
  ['the only one', [{ name: 'db' }], 'db'],
  ['by its name', [{ name: 'exporter' }, { name: 'postgres' }], 'postgres'],
  ['by PGDATA', [{ name: 'a' }, { name: 'b', env: [{ name: 'PGDATA', value: '/x' }] }], 'b'],
  ['by its port', [{ name: 'a' }, { name: 'b', ports: [{ containerPort: 5432 }] }], 'b'],
  ['not by a guess', [{ name: 'a' }, { name: 'b' }], undefined],
])('the server’s container is found: %s', (_, containers, name) => {
  const found = readServer('StatefulSet', workload(...containers), wanted);
  expect(found).toMatchObject(name === undefined ? { reason: 'ContainerNotFound' } : { container: { name } });
});

test('what the policy says of the container counts', () => {
  const both = workload({ name: 'postgres' }, { name: 'main' });
  expect(readServer('Deployment', both, { container: 'main', port: 1 })).toMatchObject({ container: { name: 'main' } });
  expect(readServer('Deployment', both, { container: 'gone', port: 1 })).toMatchObject({ reason: 'ContainerNotFound' });
});

test('a Pod is its own template', () => {
  const pod = { metadata: { name: 'db', uid: 'u', resourceVersion: '1' }, spec: { containers: [{ name: 'db' }] } };
  expect(readServer('Pod', pod as unknown as WorkloadObject, wanted)).toMatchObject({ container: { name: 'db' } });
});

test('the data directory is known where the workload says it plainly', () => {
  const of = (value: object) => statedDataDirectory({ name: 'x', env: [{ name: 'PGDATA', ...value }] });
  expect(of({ value: '/pg/data/' })).toBe('/pg/data');
  expect(of({ value: '/pg/$(NAME)' })).toBeUndefined();
  expect(of({ valueFrom: {} })).toBeUndefined();
});

test('the server’s own port, where a Service has another', () => {
  const of = (...ports: readonly number[]) =>
    serverPort({ name: 'x', ports: ports.map((containerPort) => ({ containerPort })) }, 6432);
  expect([of(), of(6432, 9187), of(5432), of(5432, 9187)]).toEqual([6432, 6432, 5432, 6432]);
});

test('a selector as the API server’s query has it', () => {
  const matchExpressions = [
    { key: 'a', operator: 'In', values: ['1', '2'] },
    { key: 'b', operator: 'NotIn', values: ['3'] },
    { key: 'c', operator: 'Exists' },
    { key: 'd', operator: 'DoesNotExist' },
  ];
  expect(selectorText({ matchLabels: { app: 'db' }, matchExpressions })).toBe('app=db,a in (1,2),b notin (3),c,!d');
});
