import { expect, test } from 'vitest';
import { quantityOf } from '../../../src/domain/quantity.ts';

test.each([
  [512, 512],
  ['512', 512],
  ['100m', 0.1],
  ['1.5', 1.5],
  ['1k', 1000],
  ['1Ki', 1024],
  ['512Mi', 512 * 2 ** 20],
  ['1Gi', 2 ** 30],
  ['2G', 2e9],
  ['1e3', 1000],
  ['1E', 1e18],
])('%s is %d', (text, number) => {
  expect(quantityOf(text)).toBeCloseTo(number);
});

test('what is no quantity is no number', () => {
  expect(quantityOf('much')).toBeNaN();
  expect(quantityOf('5 apples')).toBeNaN();
});
