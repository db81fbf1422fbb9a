import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { helm } from '../../support/chart/render.ts';
import { allPages, root } from '../../support/docs/page.ts';
import { operatorNamespace, release } from '../../support/tidemark/install.ts';

const own = join('unit', 'docs', 'helm');
const lines = allPages().flatMap(({ blocks }) =>
  blocks
    .filter(({ fate }) => fate?.kind === 'test' && fate.test === own)
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, '').split('\n')),
);

test('there are commands of Helm in the documentation', () => expect(lines.length).toBeGreaterThan(4));

/** Rendered instead of installed, with the same chart and values: a value that the chart does not know is refused. */
test.each(lines)('%s', async (line) => {
  const [program, command = '', ...args] = line.trim().split(/\s+/);
  expect(program).toBe('helm');
  // What the release on the tests' cluster is asked (test/cluster/alone/helm.test.ts).
  if (command === 'test') return expect(args).toEqual([release, '--namespace', operatorNamespace]);
  expect(['install', 'upgrade', 'template']).toContain(command);
  const installing = new Set(['--create-namespace', '--reuse-values', '--reset-then-reuse-values']);
  const asked = args.filter((each) => !installing.has(each));
  const { stdout } = await execa(await helm(), ['template', ...asked, '--kube-version', 'v1.34.1'], { cwd: root });
  expect(stdout).toContain('kind: Deployment');
});

const values = allPages().flatMap(({ blocks }) =>
  blocks.filter(({ text }) => text.startsWith('# values.yaml of the chart')).map(({ page, text }) => [page, text]),
);

test.each(values)('the values in %s are those of the chart', async (_, input) => {
  const args = ['template', 'tidemark', 'charts/tidemark', '--kube-version', 'v1.34.1', '--values', '-'];
  expect((await execa(await helm(), args, { cwd: root, input: input ?? '' })).stdout).toContain('registry.internal/');
});

test('a misspelt value is refused', async () => {
  const args = ['template', 'tidemark', 'charts/tidemark', '--kube-version', 'v1.34.1', '--set', 'operator.imagine=1'];
  await expect(execa(await helm(), args, { cwd: root })).rejects.toThrow(/imagine/);
});
