import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pageOf } from '../../../../src/observability/ui/pages.ts';

test('pages hold every item once, in order, and a page that is not there is the nearest that is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat()),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: -3, max: 90 }),
      (all, size, asked) => {
        const { pages } = pageOf(all, 1, size);
        const every = Array.from({ length: pages }, (_, index) => pageOf(all, index + 1, size));
        expect(every.flatMap(({ items }) => items)).toEqual(all);
        const { page, first, items, total } = pageOf(all, asked, size);
        expect(page).toBe(Math.min(pages, Math.max(1, asked)));
        expect(total).toBe(all.length);
        expect(items).toEqual(all.slice(Math.max(0, first - 1), Math.max(0, first - 1) + size));
      },
    ),
  );
});
