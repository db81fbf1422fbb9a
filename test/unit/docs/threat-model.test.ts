import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

it('each threat names a test, and it is there', () => {
  const rows = read('docs/threat-model.md')
    .split('\n## Boundaries')[1]
    ?.split('\n')
    .filter((line) => line.startsWith('| ') && line.endsWith(' |'));
  const threats = (rows ?? []).filter((line) => line.split(' | ').length === 3 && !line.startsWith('| threat |'));
  expect(threats.length).toBeGreaterThan(25);
  for (const threat of threats) {
    const [, test] = /`(test\/[^`]+\.test\.ts)` \|$/.exec(threat) ?? [];
    expect(test, threat).toBeDefined();
    expect(existsSync(join(root, test ?? '')), threat).toBe(true);
  }
});

it('every test that a table of faults names is there', () => {
  const pages = globSync('docs/faults/{input,security}.md', { cwd: root });
  expect(pages).toHaveLength(2);
  for (const page of pages) {
    const folder = page.endsWith('input.md') ? 'test/faults/input/' : 'test/faults/security/';
    for (const [, named = ''] of read(page).matchAll(/`([\w./-]+\.test\.ts)`/g)) {
      const path = named.startsWith('test/') ? named : `${folder}${named}`;
      expect(existsSync(join(root, path)), `${page}: ${named}`).toBe(true);
    }
  }
});
