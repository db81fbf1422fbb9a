import { expect, test } from 'vitest';
import { noticeOf, type Told } from '../../../../src/domain/hooks/notice.ts';

const told: Told = {
  namespace: 'shop',
  policy: 'orders',
  run: 'orders-nightly-29378475',
  runUID: 'u-1',
  schedule: 'nightly',
  method: 'Physical',
  type: 'Incremental',
  phase: 'Completed',
  reason: 'BackupStored',
  error: '',
  status: {
    backupID: '20261121T030000Z-physical-full',
    type: 'Full',
    size: { source: '1000', stored: '250' },
    startTime: '2026-11-21T03:00:00Z',
    completionTime: '2026-11-21T03:01:30Z',
  },
};

test('a notice says what was made, in one sentence and in fields', () => {
  expect(noticeOf(told, 'postBackup[0]')).toEqual({
    version: 1,
    id: 'u-1/postBackup[0]',
    text: 'Physical backup orders-nightly-29378475 of shop/orders completed, 250 bytes stored',
    hook: 'postBackup[0]',
    namespace: 'shop',
    policy: 'orders',
    run: 'orders-nightly-29378475',
    schedule: 'nightly',
    method: 'Physical',
    type: 'Full',
    phase: 'Completed',
    reason: 'BackupStored',
    error: '',
    backupID: '20261121T030000Z-physical-full',
    sourceBytes: '1000',
    storedBytes: '250',
    startTime: '2026-11-21T03:00:00Z',
    completionTime: '2026-11-21T03:01:30Z',
    durationSeconds: 90,
  });
});

test('of a failure it says why; what is not known is not in it', () => {
  const failed = { ...told, phase: 'Failed', reason: 'WrongPassword', error: 'No.', schedule: undefined } as const;
  const notice = noticeOf({ ...failed, status: {} }, 'postBackup[1]');
  expect(notice).toMatchObject({ phase: 'Failed', error: 'No.', type: 'Incremental' });
  expect(notice.text).toBe('Physical backup orders-nightly-29378475 of shop/orders failed: No.');
  expect(Object.keys(notice)).not.toContain('schedule');
  expect(Object.keys(notice)).not.toContain('durationSeconds');
});
