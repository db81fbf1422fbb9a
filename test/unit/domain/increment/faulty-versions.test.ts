import { describe, expect, it, test } from 'vitest';
import { hasFaultyIncrements, requireIncrements } from '../../../../src/domain/increment/faulty-versions.ts';

test.each([
  ['17.0', true],
  ['17.12', true],
  ['17.13', false],
  ['17.20', false],
  ['18.0', true],
  ['18.6', true],
  ['18.7', false],
  ['18beta1', true],
  ['18', true],
  ['19.0', false],
  ['16.4', false],
])('increments of %s are faulty: %s', (version, faulty) => {
  expect(hasFaultyIncrements(version)).toBe(faulty);
});

describe('a server', () => {
  const refused = (version: string, allowFaulty: boolean) => {
    try {
      requireIncrements(version, { allowFaulty });
      return undefined;
    } catch (error) {
      return (error as { readonly reason: string }).reason;
    }
  };

  it('with a faulty minor is refused, unless the policy allows it', () => {
    expect(refused('17.12', false)).toBe('FaultyIncrements');
    expect(refused('17.12', true)).toBeUndefined();
    expect(refused('17.13', false)).toBeUndefined();
  });

  it('before 17 is refused in any case', () => {
    expect(refused('16.10', true)).toBe('IncrementsUnsupported');
  });

  it('is told the version to update to, and the field', () => {
    expect(() => requireIncrements('18.3', { allowFaulty: false })).toThrow(
      /18\.7 or later.*allowFaultyIncrementals: true/s,
    );
  });
});
