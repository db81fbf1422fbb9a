import { expect, test } from 'vitest';
import { forbidSynchronous, matchesEverybody } from '../../../../src/agent/watch-wal/stream/synchronous.ts';
import type { Query } from '../../../../src/postgres/query.ts';

test.each([
  ['', false],
  ['*', true],
  ['"*"', true],
  ['standby1, standby2', false],
  ['FIRST 1 (*)', true],
  ['ANY 2 (standby1,*)', true],
  ['first 1 (standby1, "a * in a name")', false],
  ['"a""*"', false],
  ['tidemark, *', false],
  ['FIRST 1 (*, "Tidemark")', false],
  ['tidemark', false],
  ['tidemark2, *', true],
])('synchronous_standby_names = %j would make every commit wait for the receiver: %j', (names, expected) => {
  expect(matchesEverybody(names)).toBe(expected);
});

const answering = (names?: string): Query => (async () => (names === undefined ? [] : [{ names }])) as unknown as Query;

test('a person is told the setting, and what to set instead', async () => {
  const failure = await forbidSynchronous(answering('FIRST 1 (*)'));
  expect(failure).toMatchObject({ reason: 'SynchronousStandby', retryable: false });
  expect(failure?.message).toMatch(/is 'FIRST 1 \(\*\)'.*ALTER SYSTEM SET synchronous_standby_names/);
  expect(await forbidSynchronous(answering('standby1'))).toBeUndefined();
  expect(await forbidSynchronous(answering())).toBeUndefined();
});
