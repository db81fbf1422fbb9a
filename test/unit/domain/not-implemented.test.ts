import { expect, test } from 'vitest';
import { missingForRestore, notImplementedMessage } from '../../../src/domain/not-implemented.ts';
import { restore } from '../controllers/objects.ts';

test('what stands is not refused', () => {
  expect(missingForRestore(restore().spec)).toEqual([]);
});

test('a Logical backup goes into a live server, or into one that is removed again', () => {
  const target = { instance: { name: 'copy', storage: { size: '1Gi' } } };
  expect(missingForRestore(restore({ spec: { target } }).spec)).toEqual(['spec.target.instance with a Logical backup']);
  expect(missingForRestore(restore({ spec: { target: { ephemeral: {} } } }).spec)).toEqual([]);
});

test('the message names all of it', () => {
  expect(notImplementedMessage(['spec.type', 'spec.hooks'])).toContain('spec.type, spec.hooks');
});
