import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const shown = /`(test\/[^`]+\.test\.ts)`: “([^”]+)”/g;

describe.each(['database.md', 'pains.md'])('docs/faults/%s', (page) => {
  const text = readFileSync(join(root, 'docs/faults', page), 'utf8');
  const claims = [...text.matchAll(shown)].map(([, file = '', name = '']) => ({ file, name }));

  test('names tests that there are', () => {
    expect(claims.length).toBeGreaterThan(40);
    const missing = claims.filter(({ file, name }) => {
      const path = join(root, file);
      return !existsSync(path) || !readFileSync(path, 'utf8').includes(name);
    });
    expect(missing).toEqual([]);
  });

  test('shows every case that it says anything of', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (phase|#) \|/.test(line));
    const bare = rows.filter((row) => !new RegExp(shown.source).test(row) && !/\| (not here|elsewhere)\b/.test(row));
    expect(bare).toEqual([]);
  });
});

test('docs/faults/pains.md has every one of them once', () => {
  const text = readFileSync(join(root, 'docs/faults/pains.md'), 'utf8');
  const numbers = [...text.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
  const counted = (length: number) => Array.from({ length }, (_, index) => index + 1);
  expect(numbers).toEqual([...counted(50), ...counted(60)]);
});
