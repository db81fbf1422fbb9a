import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { helm, render } from '../../support/chart/render.ts';
import { root } from '../../support/docs/page.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

beforeAll(async () => {
  await helm();
}, 900_000);

test('docs/security.md has every right of operator and agent, verb by verb, and no other', async () => {
  const roles = (await render()).filter(({ kind }) => kind === 'ClusterRole');
  const rulesOf = (name: string) =>
    (roles.find(({ metadata }) => metadata.name === name)?.['rules'] ?? []) as readonly Rule[];
  const given = (who: string, name: string) =>
    rulesOf(name).map(
      ({ apiGroups, resources, resourceNames, verbs }) =>
        `| ${who} | ${apiGroups.map((group) => group || 'core').join(', ')} | ${resources.join(', ')}${resourceNames === undefined ? '' : ` (${resourceNames.join(', ')} alone)`} | ${verbs.join(', ')} |`,
    );
  const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
  const told = page.split('\n').filter((line) => /^\| (operator|agent) \| [a-z.0-9]+ \| [a-z]+.* \| .*\|$/.test(line));
  const rights = told.filter((line) => / \| (get|create|update|bind)(, [a-z]+)* \|$/.test(line));
  expect(rights.sort()).toEqual([...given('operator', 'tidemark'), ...given('agent', 'tidemark-agent')].sort());
});
