import { expect, test } from 'vitest';
import { volumeFailure } from '../../../src/repository/volume-failure.ts';

const call = { operation: 'store', path: 'tidemark/a', claimName: 'offsite' };

test.each([
  ['ENOSPC', 'StoreFull', false],
  ['EDQUOT', 'StoreFull', false],
  ['ENOENT', 'NoSuchObject', false],
  ['EEXIST', 'ObjectExists', false],
  ['EACCES', 'AccessDenied', false],
  ['EROFS', 'AccessDenied', false],
  ['ELOOP', 'InvalidKey', false],
  ['EIO', 'StoreUnreachable', true],
  ['ESTALE', 'StoreUnreachable', true],
  ['EXDEV', 'StoreError', false],
])('%s is %s', (code, reason, retryable) => {
  expect(volumeFailure(Object.assign(new Error(code), { code }), call)).toMatchObject({ reason, retryable });
});

test('a full volume is told with its claim', () => {
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  expect(volumeFailure(full, call).message).toBe(
    'Cannot store tidemark/a on the volume of offsite: it has no room left (ENOSPC). Enlarge the claim offsite, or remove backups.',
  );
});
