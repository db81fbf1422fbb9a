import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routeOf } from '../../../../src/observability/ui/route.ts';

test.each([
  ['/', { page: 'Home' }],
  ['/favicon.ico', { page: 'Icon' }],
  ['/ui', { page: 'Overview', namespace: undefined, number: 1, refresh: false }],
  ['/ui/', { page: 'Overview', namespace: undefined, number: 1, refresh: false }],
  ['/ui?page=3&namespace=shop&refresh=on', { page: 'Overview', namespace: 'shop', number: 3, refresh: true }],
  ['/ui?page=-1', { page: 'Overview', number: 1 }],
  ['/ui?page=1e9', { page: 'Overview', number: 1 }],
  ['/ui/policies/shop/orders', { page: 'Policy', namespace: 'shop', name: 'orders', number: 1 }],
  ['/ui/policies/shop/orders?page=2', { page: 'Policy', number: 2 }],
  ['/ui/policies/a%2Fb/%3Cb%3E', { page: 'Policy', namespace: 'a/b', name: '<b>' }],
])('%s is a page', (address, route) => {
  expect(routeOf(address)).toMatchObject(route);
});

test.each([
  '/metrics',
  '/ui/policies',
  '/ui/policies/shop',
  '/ui/policies//orders',
  '/ui/policies/shop/orders/more',
  '/ui/../metrics',
  '//ui',
  '/ui/policies/shop/%ff',
  'http://elsewhere/ui',
  '*',
  '',
  `/ui?${'x'.repeat(3000)}`,
])('%s is none', (address) => {
  expect(routeOf(address)).toEqual({ page: 'Nothing' });
});

test('whatever is asked for has an answer', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      expect(routeOf(`/${text}`)).toHaveProperty('page');
    }),
  );
});
