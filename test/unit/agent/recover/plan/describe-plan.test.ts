import { expect, it } from 'vitest';
import { sizeOf } from '../../../../../src/agent/recover/plan/describe-plan.ts';

it('says sizes in the unit that a person reads', () => {
  expect([0, 1023, 1024, 16 * 1024 ** 2, 3.5 * 1024 ** 3].map(sizeOf)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.0 KiB',
    '16.0 MiB',
    '3.5 GiB',
  ]);
});
