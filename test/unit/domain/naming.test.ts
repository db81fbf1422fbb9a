import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cronJobName, jobName } from '../../../src/domain/naming.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
const short = fc.stringMatching(/^[ab]([-ab]{0,3}[ab])?$/);
const policyName = fc.oneof(
  short,
  part,
  fc.tuple(part, part).map(([one, other]) => `${one}.${other}`.slice(0, 52).replace(/[-.]+$/, '')),
);
const scheduleName = fc.oneof(short, part);

describe('the name of a CronJob', () => {
  test.each([
    ['orders', 'nightly', 'orders-nightly'],
    ['orders-db', 'nightly', 'orders-db-nightly'],
  ])('of policy %s and schedule %s is %s', (policy, schedule, name) => {
    expect(cronJobName(policy, schedule)).toBe(name);
  });

  test('says of which policy it is even where it needs a digest', () => {
    expect(cronJobName('a', 'b-c')).toMatch(/^a-b-c-[0-9a-f]{10}$/);
    expect(cronJobName('a.b', 'c')).toMatch(/^a-b-c-[0-9a-f]{10}$/);
    expect(cronJobName('a-b', 'c')).toBe('a-b-c');
  });

  test('is another for another policy or schedule, a DNS label of at most 52 characters', () => {
    fc.assert(
      fc.property(policyName, scheduleName, policyName, scheduleName, (policy, schedule, other, another) => {
        const [one, two] = [cronJobName(policy, schedule), cronJobName(other, another)];
        expect(one).toMatch(label);
        expect(one.length).toBeLessThanOrEqual(52);
        expect(one === two).toBe(policy === other && schedule === another);
      }),
      { numRuns: 2000 },
    );
  });

  test('cannot be taken by a schedule that is called as a digest is', () => {
    const name = cronJobName('a', 'b-c');
    expect(cronJobName('a-b-c', name.slice(-10))).not.toBe(name);
  });
});

describe('the name of a Job', () => {
  test.each([
    [undefined, 'orders-by-hand', '', 'orders-by-hand'],
    ['restore', 'back', '', 'restore-back'],
    ['probe', 'store', '3', 'probe-store-3'],
    ['delete', 'orders-by-hand', '', 'delete-orders-by-hand'],
  ] as const)('for %s of %s %s is %s', (prefix, name, suffix, expected) => {
    expect(jobName(prefix, name, suffix)).toBe(expected);
  });

  test('of a BackupRun restore-x is not that of the RestoreRequest x', () => {
    expect(jobName(undefined, 'restore-x')).not.toBe(jobName('restore', 'x'));
    expect(jobName(undefined, 'probe-store-1')).not.toBe(jobName('probe', 'store', '1'));
  });

  test('is another for whatever it is for, a DNS label of at most 63 characters', () => {
    const names = fc.stringMatching(/^[ab]([-.ab]{0,60}[ab])?$/);
    const prefixes = fc.constantFrom('restore', 'delete', undefined);
    fc.assert(
      fc.property(prefixes, names, prefixes, names, (prefix, name, other, another) => {
        const [one, two] = [jobName(prefix, name), jobName(other, another)];
        expect(one).toMatch(label);
        expect(one.length).toBeLessThanOrEqual(63);
        expect(one === two).toBe(prefix === other && name === another);
      }),
      { numRuns: 2000 },
    );
  });
});
