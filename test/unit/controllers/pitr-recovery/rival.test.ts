import { expect, test } from 'vitest';
import { findRival } from '../../../../src/controllers/pitr-recovery/rival.ts';
import { recovery } from '../objects.ts';
import { inPlace } from './things.ts';

interface Change {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly created?: string;
}

const one = (name: string, change: Change = {}) => {
  const made = recovery({ spec: { target: inPlace, ...change.spec }, status: change.status ?? {} });
  const creationTimestamp = change.created ?? '2026-03-11T10:00:00Z';
  return { ...made, metadata: { ...made.metadata, name, uid: `uid-of-${name}`, creationTimestamp } };
};
const later = { created: '2026-03-11T10:00:01Z' };

test('the older of two goes on, and of two of one second the one whose name comes first', () => {
  const [first, second, third] = [one('b'), one('a', later), one('c')];
  const all = [first, second, third];
  expect(all.map((each) => findRival(each, all))).toEqual([undefined, 'b', 'b']);
});

test('the one that has scaled the workload down goes on, whoever is older', () => {
  const all = [one('a'), one('b', { ...later, status: { replicas: 1 } })];
  expect(all.map((each) => findRival(each, all))).toEqual(['b', undefined]);
});

test.each<[string, Change]>([
  ['has ended', { status: { phase: 'Failed', replicas: 1 } }],
  ['is a dry run', { spec: { dryRun: true } }],
  ['recovers elsewhere', { spec: { target: { ephemeral: {} } } }],
  [
    'recovers another workload',
    { spec: { target: { inPlace: { workloadRef: { kind: 'Deployment', name: 'orders-db' }, confirm: 'orders-db' } } } },
  ],
])('one that %s stands in nobody’s way', (_, change) => {
  const other = one('a', change);
  expect(findRival(one('b', later), [other])).toBeUndefined();
});
