import { expect, test } from 'vitest';
import {
  missingForPolicy,
  missingForRepository,
  missingForRestore,
  missingForRun,
  notImplementedMessage,
} from '../../../src/domain/not-implemented.ts';
import { policy, repository, restore, run } from '../controllers/objects.ts';

test('what stands is not refused', () => {
  expect(missingForPolicy(policy().spec)).toEqual([]);
  expect(missingForRun(run().spec)).toEqual([]);
  expect(missingForRepository(repository().spec)).toEqual([]);
  expect(missingForRestore(restore().spec)).toEqual([]);
});

test.each<[string, object]>([
  ['spec.verification', { verification: { cron: '0 0 * * *' } }],
  ['spec.hooks', { hooks: { preBackup: [{ http: { url: 'http://hook' } }] } }],
  [
    'spec.walArchiving.compression.algorithm: gzip',
    { walArchiving: { mode: 'Stream', compression: { algorithm: 'gzip' } } },
  ],
  ['spec.compression.algorithm: gzip', { compression: { algorithm: 'gzip' } }],
  ['more than one entry of spec.repositoryRefs', { repositoryRefs: [{ name: 'a' }, { name: 'b' }] }],
  [
    'spec.schedules[base].type: Incremental',
    {
      schedules: [{ name: 'base', cron: '0 0 * * *', method: 'Physical', type: 'Incremental' }],
      physical: { walMethod: 'Fetch' },
    },
  ],
])('%s of a policy is refused by its name', (field, spec) => {
  expect(missingForPolicy(policy({ spec: { ...spec } }).spec)).toEqual([field]);
});

test.each<[string, object]>([
  [
    'spec.encryption.gpg',
    {
      volume: { claimName: 'c' },
      encryption: { gpg: { publicKeySecretRef: { name: 'g', key: 'k' }, recipients: ['x'] } },
    },
  ],
])('%s of a repository is refused by its name', (field, spec) => {
  expect(missingForRepository(repository({ spec: { ...spec } }).spec)).toEqual([field]);
});

test('a Logical backup goes into a live server alone', () => {
  const target = { ephemeral: {} };
  expect(missingForRestore(restore({ spec: { target } }).spec)).toEqual([
    'spec.target.ephemeral with a Logical backup',
  ]);
});

test('the message names all of it', () => {
  expect(notImplementedMessage(['spec.verification', 'spec.hooks'])).toContain('spec.verification, spec.hooks');
});
