import { expect, test } from 'vitest';
import { html, made } from '../../../../src/observability/ui/html.ts';

test('values are text, wherever they stand; what was made here is markup', () => {
  const bold = html`<b>${'<i>'}</b>`;
  expect(String(html`<a href="${'"><script>'}">${bold}${['&', bold, 3]}</a>`)).toBe(
    '<a href="&quot;&gt;&lt;script&gt;"><b>&lt;i&gt;</b>&amp;<b>&lt;i&gt;</b>3</a>',
  );
  expect(String(html`${undefined}${false}${0}${''}${made('<hr>')}`)).toBe('0<hr>');
});

test('an object that only looks like markup is none', () => {
  const disguised = { toString: () => '<script>' } as unknown as string;
  expect(String(html`${disguised}`)).toBe('&lt;script&gt;');
});
