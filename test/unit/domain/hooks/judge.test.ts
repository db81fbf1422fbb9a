import { describe, expect, test } from 'vitest';
import { hooks as schema } from '../../../../src/api/hooks.ts';
import { judgeHooks, outstanding } from '../../../../src/domain/hooks/judge.ts';
import { comingAfter, named } from '../../../../src/domain/hooks/name.ts';

const http = { url: 'https://hc.example.com/' };
const hooks = schema.parse({
  preBackup: [{ http }],
  postBackup: [{ http }, { http, when: 'OnSuccess' }, { http, when: 'OnFailure', onError: 'Continue' }],
});
const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
const result = (hook: string, state: 'Pending' | 'Running' | 'Succeeded' | 'Failed', more: object = {}) => ({
  hook,
  state,
  ...more,
});

describe('the hooks that come after a run', () => {
  test.each([
    ['Completed', ['postBackup[0]', 'postBackup[1]']],
    ['Failed', ['postBackup[0]', 'postBackup[2]']],
    ['Cancelled', ['postBackup[0]', 'postBackup[2]']],
  ] as const)('that is %s', (phase, expected) => {
    expect(names(comingAfter(hooks, phase))).toEqual(expected);
    expect(outstanding(hooks, undefined, phase)).toEqual(expected);
  });

  test('are, once an agent has come to them, those that it has not told the end of', () => {
    const results = [
      result('preBackup[0]', 'Running'),
      result('postBackup[0]', 'Succeeded'),
      result('postBackup[1]', 'Running'),
      result('postBackup[2]', 'Pending'),
    ];
    expect(outstanding(hooks, { phase: 'Completed', results }, 'Completed')).toEqual([
      'postBackup[1]',
      'postBackup[2]',
    ]);
    // Whatever the policy says by now.
    expect(outstanding(undefined, { phase: 'Completed', results }, 'Completed')).toHaveLength(2);
  });

  test('are all of them where an agent did not come so far', () => {
    expect(outstanding(hooks, { results: [result('preBackup[0]', 'Succeeded')] }, 'Failed')).toHaveLength(2);
    expect(names(named(hooks, 'preBackup'))).toEqual(['preBackup[0]']);
  });
});

describe('the condition HooksSucceeded', () => {
  const judged = (results: readonly ReturnType<typeof result>[]) =>
    judgeHooks(hooks, { phase: 'Completed', results: [...results] }, 'Completed')[0];

  test('is Unknown as long as one is to be run', () => {
    expect(judgeHooks(hooks, undefined, 'Failed')).toMatchObject([{ status: 'Unknown', reason: 'HooksPending' }]);
    expect(judged([result('postBackup[0]', 'Running')])).toMatchObject({ status: 'Unknown' });
  });

  test('is True where all have succeeded', () => {
    expect(judged([result('postBackup[0]', 'Succeeded')])).toMatchObject({ status: 'True', reason: 'HooksRan' });
  });

  test('names what has failed, and whether that is minded', () => {
    const failed = result('postBackup[0]', 'Failed', { message: 'POST to hc answered 500.' });
    const minded = { status: 'False', reason: 'HookFailed' };
    expect(judged([failed])).toMatchObject({ ...minded, message: 'postBackup[0] failed: POST to hc answered 500.' });
    expect(judged([{ ...failed, onError: 'Continue' } as never])).toMatchObject({ reason: 'HookFailureIgnored' });
  });

  test('is not there where nothing came after the run', () => {
    expect(judgeHooks(undefined, undefined, 'Failed')).toEqual([]);
    const onFailure = schema.parse({ postBackup: [{ http, when: 'OnFailure' }] });
    expect(judgeHooks(onFailure, undefined, 'Completed')).toEqual([]);
  });
});
