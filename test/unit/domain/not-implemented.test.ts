import { expect, test } from 'vitest';
import { missingForPolicy, missingForRestore, notImplementedMessage } from '../../../src/domain/not-implemented.ts';
import { policy, restore } from '../controllers/objects.ts';

test('what stands is not refused', () => {
  expect(missingForPolicy(policy().spec)).toEqual([]);
  expect(missingForRestore(restore().spec)).toEqual([]);
});

test.each<[string, object]>([['spec.hooks', { hooks: { preBackup: [{ http: { url: 'http://hook' } }] } }]])(
  '%s of a policy is refused by its name',
  (field, spec) => {
    expect(missingForPolicy(policy({ spec: { ...spec } }).spec)).toEqual([field]);
  },
);

test('a Logical backup goes into a live server, or into one that is removed again', () => {
  const target = { instance: { name: 'copy', storage: { size: '1Gi' } } };
  expect(missingForRestore(restore({ spec: { target } }).spec)).toEqual(['spec.target.instance with a Logical backup']);
  expect(missingForRestore(restore({ spec: { target: { ephemeral: {} } } }).spec)).toEqual([]);
});

test('the message names all of it', () => {
  expect(notImplementedMessage(['spec.type', 'spec.hooks'])).toContain('spec.type, spec.hooks');
});
