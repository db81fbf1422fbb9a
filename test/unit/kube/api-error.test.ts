import { expect, test } from 'vitest';
import { ApiError, errorOf, errorOfStatus, isAlreadyExists, isConflict } from '../../../src/kube/api-error.ts';

test.each([
  ['', 'GET /x: HTTP 502', 'Unknown'],
  ['<html>\n bad gateway </html>', 'GET /x: <html> bad gateway </html>', 'Unknown'],
  ['null', 'GET /x: null', 'Unknown'],
  ['{"message":{"not":"words"},"reason":7}', 'GET /x: {"message":{"not":"words"},"reason":7}', 'Unknown'],
  ['{"message":"is invalid:\\n  * one\\n  * two","reason":"Invalid"}', 'GET /x: is invalid: * one * two', 'Invalid'],
])('an answer of %j says: %s', (body, message, reason) => {
  expect(errorOf({ status: 502, body, what: 'GET /x' })).toMatchObject({ status: 502, message, reason });
});

test('the wait that the server asks for comes from the header, or from the Status', () => {
  const body = JSON.stringify({ details: { retryAfterSeconds: 3 } });
  expect(errorOf({ status: 429, body, what: 'x' }).retryAfterSeconds).toBe(3);
  expect(errorOf({ status: 429, body, retryAfter: '5', what: 'x' }).retryAfterSeconds).toBe(5);
  expect(errorOf({ status: 429, body: '', retryAfter: 'soon', what: 'x' }).retryAfterSeconds).toBeUndefined();
});

test('a Status in a watch is an error of its code', () => {
  const gone = errorOfStatus({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }, 'WATCH /x');
  expect(gone).toMatchObject({ status: 410, reason: 'Expired', message: 'WATCH /x: too old' });
  expect(errorOfStatus({}, 'WATCH /x').status).toBe(500);
});

test('a conflict is not an object that exists already, though both are 409', () => {
  const [conflict, exists] = ['Conflict', 'AlreadyExists'].map((reason) => new ApiError(409, reason, ''));
  expect([conflict, exists].map(isConflict)).toEqual([true, false]);
  expect([conflict, exists].map(isAlreadyExists)).toEqual([false, true]);
  expect([new Error('409'), undefined].some(isConflict)).toBe(false);
});
