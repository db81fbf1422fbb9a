import { describe, expect, test } from 'vitest';
import { backupRunSpec } from '../../../src/api/backup-run.ts';
import { labelValue } from '../../../src/domain/label-value.ts';
import { scheduledRun } from '../../../src/domain/scheduled-run.ts';

const made = (policy: string) =>
  scheduledRun({
    namespace: 'shop',
    jobName: 'orders-nightly-29378475',
    policy: { name: policy },
    schedule: 'nightly',
    method: 'Logical',
    type: 'Full',
  });

test('a scheduled run has the Job’s name and is the same whoever makes it', () => {
  expect(made('orders')).toEqual({
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupRun',
    metadata: {
      name: 'orders-nightly-29378475',
      namespace: 'shop',
      labels: {
        'tidemark.dev/policy': 'orders',
        'tidemark.dev/schedule': 'nightly',
        'app.kubernetes.io/managed-by': 'tidemark',
      },
    },
    spec: {
      policyRef: { name: 'orders' },
      method: 'Logical',
      type: 'Full',
      hold: false,
      cancel: false,
      deletionPolicy: 'Retain',
    },
  });
  expect(made('orders').spec).toEqual(backupRunSpec.parse(made('orders').spec));
});

describe('the value of a label', () => {
  test('is the name where that fits', () => {
    expect(labelValue('a'.repeat(63))).toBe('a'.repeat(63));
  });

  test('is a beginning and a digest where the name is longer, different for different names', () => {
    const [one, other] = [labelValue(`${'a'.repeat(100)}x`), labelValue(`${'a'.repeat(100)}y`)];
    for (const value of [one, other]) expect(value).toMatch(/^[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$/);
    expect(one.length).toBeLessThanOrEqual(63);
    expect(one).not.toBe(other);
  });
});
