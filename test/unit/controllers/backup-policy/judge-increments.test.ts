import { expect, test } from 'vitest';
import { judgeIncrements } from '../../../../src/controllers/backup-policy/judge-increments.ts';
import { policy } from '../objects.ts';

const schedules = (type: string) => [{ name: 'daily', cron: '0 1 * * *', method: 'Physical', type }];
const of = (type: string, physical: object = {}) =>
  policy({ spec: { schedules: schedules(type), physical: { walMethod: 'Fetch', ...physical } } });
const brief = (...given: Parameters<typeof judgeIncrements>) =>
  judgeIncrements(...given).map(({ type, status, reason }) => [type, status, reason].join(' '));

test.each([
  ['Full', '17.12', {}, []],
  ['Incremental', undefined, {}, []],
  ['Incremental', '17.13', {}, ['IncrementsTrusted True SoundVersion']],
  ['Incremental', '17.12', {}, ['IncrementsTrusted False FaultyVersion']],
  ['Differential', '18.6', { allowFaultyIncrementals: true }, ['IncrementsTrusted False FaultyVersionAllowed']],
])('%s on %s, %j: %j', (type, version, physical, expected) => {
  expect(brief(of(type, physical), version)).toEqual(expected);
});

test('it names the schedules and what to do', () => {
  const [condition] = judgeIncrements(of('Incremental'), '17.12');
  expect(condition?.message).toMatch(/17\.13.*daily fails.*Update the server/s);
});
