import { expect, test } from 'vitest';
import { isSealBroken, seal } from '../../../src/repository/seal.ts';

const text = `${JSON.stringify({ format: 1, backupID: 'x', owner: 'clerk', logical: { tool: 'pg_dump', databases: [] } }, undefined, 2)}\n`;
const sealed = seal(text);

const isRefused = (found: string): boolean => {
  try {
    JSON.parse(found);
  } catch {
    return true;
  }
  return isSealBroken(found);
};

test('a sealed text is the same object with one member more, and is whole', () => {
  const { seal: own, ...rest } = JSON.parse(sealed);
  expect(rest).toEqual(JSON.parse(text));
  expect(own).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(isSealBroken(sealed)).toBe(false);
});

test('any bit that changes is found, and any end that is cut off', () => {
  const bytes = Buffer.from(sealed);
  const kept: string[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << bit);
      if (!isRefused(copy.toString('utf8')))
        kept.push(`${at}.${bit} ${JSON.stringify(copy.toString('utf8').slice(at - 5, at + 5))}`);
    }
    if (at > 0 && at < bytes.length - 1) expect(isRefused(sealed.slice(0, at)), `cut at ${at}`).toBe(true);
  }
  expect(kept).toEqual([]);
});

test('what is older than seals is taken as it is', () => {
  expect(isSealBroken(text)).toBe(false);
  expect(isSealBroken(JSON.stringify(JSON.parse(text)))).toBe(false);
});
