import { expect, test } from 'vitest';
import { missingForPolicy, missingForRestore, notImplementedMessage } from '../../../src/domain/not-implemented.ts';
import { policy, restore } from '../controllers/objects.ts';

test('what stands is not refused', () => {
  expect(missingForPolicy(policy().spec)).toEqual([]);
  expect(missingForRestore(restore().spec)).toEqual([]);
});

test.each<[string, object]>([
  ['spec.verification', { verification: { cron: '0 0 * * *' } }],
  ['spec.hooks', { hooks: { preBackup: [{ http: { url: 'http://hook' } }] } }],
])('%s of a policy is refused by its name', (field, spec) => {
  expect(missingForPolicy(policy({ spec: { ...spec } }).spec)).toEqual([field]);
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
