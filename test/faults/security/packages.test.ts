import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ensureImages } from '../../support/images/build.ts';
import { packagesOf } from '../../support/images/debian-packages.ts';
import { recipeOf, suites } from '../../support/images/recipe.ts';
import { pendingUpdates, versionsIn } from '../../support/images/security-updates.ts';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly deprecated?: string;
}

const log = (line: string) => void process.stdout.write(`${line}\n`);
const shipped = () =>
  Object.entries(packages).filter(([name, { dev, link }]) => name !== '' && dev !== true && link !== true);

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
  expect(shipped().length).toBeGreaterThan(20);
  const others = shipped().filter(([, { license }]) => !licences.includes(license ?? 'none'));
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

test('nothing of what the programs are made of was given up by its authors', () => {
  expect(shipped().filter(([, { deprecated }]) => deprecated !== undefined)).toEqual([]);
});

test('no package of Debian in the images waits for a security update', { timeout: 1_800_000 }, async () => {
  const [operator, agent] = await ensureImages(['operator', 'agent'], { log });
  const held = await Promise.all([operator, agent].map(async (image) => await packagesOf(image?.archive ?? '')));
  const [ofOperator = [], ofAgent = []] = held;
  expect(ofOperator.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['libc6', 'libstdc++6', 'ca-certificates']),
  );
  const { args } = recipeOf('agent');
  const majors = (args['PG_MAJORS'] ?? '').split(' ');
  const wanted = Object.entries(suites).filter(([major]) => majors.includes(major));
  for (const [major, suite] of wanted) {
    const names = ofAgent.filter((each) => each.suite === suite).map(({ name }) => name);
    expect(names, suite).toEqual(expect.arrayContaining([`postgresql-client-${major}`, 'libpq5', 'libc6']));
  }
  // As they were before any update, too: the same question finds those.
  const first = held.flat().map((each) => ({ ...each, version: '0' }));
  const found = await pendingUpdates([...held.flat(), ...first]);
  const pending = found.filter(({ version }) => version !== '0');
  // sid changes by the hour: the images follow it each day, and on no day is all of it there to be installed.
  const newerInSid = pending.filter(({ suite }) => suite === 'sid').map(({ name }) => name);
  log(`${first.length} packages; newer in sid: ${newerInSid.join(', ') || 'none'}`);
  expect(pending.filter(({ suite }) => suite !== 'sid')).toEqual([]);
  const releases = found.filter(({ version }) => version === '0').map(({ suite }) => suite);
  expect(releases).toEqual(expect.arrayContaining(['trixie', ...wanted.map(([, suite]) => suite)]));
});

test('an index of Debian gives every version of a package, and no other package’s', () => {
  const index =
    'Package: libc6\nVersion: 2.1\n\nPackage: libc6-dev\nVersion: 9\n\nPackage: libc6\nSource: glibc\nVersion: 2.2\n\n';
  expect([...versionsIn(index, new Set(['libc6']))]).toEqual([['libc6', ['2.1', '2.2']]]);
});
