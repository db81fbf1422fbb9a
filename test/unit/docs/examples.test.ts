import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../../src/api/kinds.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { allPages, root } from '../../support/docs/page.ts';
import { unknownFields } from '../../support/docs/unknown-fields.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('the examples in the documentation', () => {
  it.each(allPages().map(({ path, blocks }) => [path, blocks] as const))(
    '%s shows objects that the schemas take, and no field that they do not know',
    (_, blocks) => {
      for (const { text } of blocks.filter(({ language }) => language === 'yaml')) check(text);
    },
  );

  it.each(globSync('manifests/samples/**/*.yaml', { cwd: root }))('%s likewise', (path) => check(read(path)));

  it('README.md has a repository, a policy and a restore', () => {
    for (const kind of ['BackupRepository', 'BackupPolicy', 'RestoreRequest'])
      expect(read('README.md')).toContain(`kind: ${kind}`);
  });

  it.each(globSync('{README.md,docs/**/*.md}', { cwd: root }))('%s links to files that are there', (page) => {
    const folder = join(root, page, '..');
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => globSync(link, { cwd: folder }).length === 0)).toEqual([]);
  });

  it.each(globSync('{README.md,docs/**/*.md}', { cwd: root }))('%s links to chapters that are there', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)];
    const missing = links.filter(([, file = '', chapter = '']) => {
      const target = file === '' ? page : join(page, '..', file);
      return existsSync(join(root, target)) && !chaptersOf(read(target)).has(chapter);
    });
    expect(missing.map(([link]) => link)).toEqual([]);
  });
});

it('docs/metrics.md lists every metric of the operator', async () => {
  const own = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name);
  const listed = [...read('docs/metrics.md').matchAll(/^\| `(tidemark_\w+)`/gm)].map(([, name]) => name);
  expect(own.filter((name) => !/^tidemark_(nodejs|process)_/.test(name)).sort()).toEqual(listed.sort());
});

/** The names that GitHub gives to headings. */
function chaptersOf(markdown: string): ReadonlySet<string> {
  const plain = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
  return new Set([...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => plain(heading)));
}

function check(yaml: string): void {
  for (const document of parseAllDocuments(yaml)) {
    expect(document.errors).toEqual([]);
    const { kind, spec } = (document.toJS() ?? {}) as { readonly kind?: string; readonly spec?: unknown };
    const known = kinds.find((candidate) => candidate.kind === kind);
    if (known === undefined) continue;
    const { error, data } = known.spec.safeParse(spec);
    expect(error).toBeUndefined();
    expect(unknownFields(spec, data)).toEqual([]);
  }
}
