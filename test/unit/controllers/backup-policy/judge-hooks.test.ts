import { describe, expect, test } from 'vitest';
import { judgeHooks } from '../../../../src/controllers/backup-policy/judge-hooks.ts';
import { condition, policy, run } from '../objects.ts';

const hooked = policy({ spec: { hooks: { postBackup: [{ http: { url: 'https://hc.example.com/' } }] } } });
const told = (name: string, status: string, reason: string) =>
  run({ name, status: { conditions: [condition('HooksSucceeded', status, reason)] } });

describe('what a policy says of its hooks', () => {
  test('is what its newest run says whose hooks have come to an end', () => {
    const runs = [told('c', 'Unknown', 'HooksPending'), run({ name: 'running' }), told('b', 'False', 'HookFailed')];
    expect(judgeHooks(hooked, [...runs, told('a', 'True', 'HooksRan')])).toEqual([
      { type: 'HooksSucceeded', status: 'False', reason: 'HookFailed', message: 'b: so it is' },
    ]);
  });

  test('minds no failure that is not to be minded', () => {
    expect(judgeHooks(hooked, [told('a', 'False', 'HookFailureIgnored')])).toMatchObject([{ status: 'True' }]);
  });

  test('is nothing without hooks, or before a run', () => {
    expect(judgeHooks(policy(), [told('a', 'False', 'HookFailed')])).toEqual([]);
    expect(judgeHooks(hooked, [run()])).toEqual([]);
  });
});
