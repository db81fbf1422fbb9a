import { expect, test } from 'vitest';
import { resolveSource } from '../../../../src/controllers/pitr-recovery/source.ts';
import { policy, recovery, repository } from '../objects.ts';

const offsite = repository({ metadata: { name: 'offsite' } });
const nearby = repository({ metadata: { name: 'nearby' } });
const repositories = [offsite, nearby];
const orders = policy({ spec: { repositoryRefs: [{ name: 'offsite' }, { name: 'nearby' }] } });
const lookup = {
  policy: () => orders,
  repository: (name: string) => repositories.find(({ metadata }) => metadata.name === name),
  failed: () => [],
  lagSeconds: () => undefined,
};
const readFrom = (source: object) => {
  const resolved = resolveSource(recovery({ spec: { source } }), lookup);
  if (!('task' in resolved)) throw new Error(resolved.message);
  return [resolved.task.repository, ...(resolved.task.others ?? [])].map(({ name }) => name);
};

test('a policy stands for all of its repositories, in their order', () => {
  expect(readFrom({ policyRef: { name: 'orders' } })).toEqual(['offsite', 'nearby']);
});

test('a repository that is named is read alone, also with the name of a policy that has others', () => {
  const { namespace } = orders.metadata;
  expect(readFrom({ repository: { repositoryRef: { name: 'nearby' }, policy: 'orders', namespace } })).toEqual([
    'nearby',
  ]);
});
