import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const { dependencies, devDependencies, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as Readonly<
  Record<'dependencies' | 'devDependencies' | 'scripts', Readonly<Record<string, string>>>
>;

/** They let their code go into a program under Apache-2.0, with their notice beside it (images/licences.sh). */
const licences = [
  'Apache-2.0',
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Python-2.0',
  'PSF-2.0',
  'Unlicense',
];

test('what the programs are made of has licences that go with this one', () => {
  const shipped = Object.entries(packages).filter(
    ([name, { dev, link }]) => name !== '' && dev !== true && link !== true,
  );
  expect(shipped.length).toBeGreaterThan(20);
  const others = shipped.filter(([, { license }]) => !licences.includes(license ?? 'none'));
  expect(others.map(([name, { license }]) => `${name}: ${license}`)).toEqual([]);
});

test('every package is pinned to one version', () => {
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  );
  expect(loose).toEqual([]);
});

/** It asks the registry, which a test must not depend on. */
test('npm run audit fails from high on', () => {
  expect(scripts['audit']).toBe('npm audit --omit=dev --audit-level=high');
});
