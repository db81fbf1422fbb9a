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
  ['spec.azureBlob', { azureBlob: { container: 'backups' } }],
  ['spec.googleCloudStorage', { googleCloudStorage: { bucket: 'backups' } }],
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

test('a Logical backup goes into a live server, or into one that is removed again', () => {
  const target = { instance: { name: 'copy', storage: { size: '1Gi' } } };
  expect(missingForRestore(restore({ spec: { target } }).spec)).toEqual(['spec.target.instance with a Logical backup']);
  expect(missingForRestore(restore({ spec: { target: { ephemeral: {} } } }).spec)).toEqual([]);
});

test('the message names all of it', () => {
  expect(notImplementedMessage(['spec.type', 'spec.hooks'])).toContain('spec.type, spec.hooks');
});
