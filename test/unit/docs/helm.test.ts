import { execa } from 'execa';
import { expect, test } from 'vitest';
import { helm } from '../../support/chart/render.ts';
import { allPages, root } from '../../support/docs/page.ts';

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
