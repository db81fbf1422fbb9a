import { describe, expect, test } from 'vitest';
import { restAfterSuccess } from '../../../../src/agent/hooks/rest-after-success.ts';
import { hooks as schema } from '../../../../src/api/hooks.ts';
import type { BackupTask } from '../../../../src/domain/task.ts';

const http = { url: 'https://hc.example.com/' };
const hooks = schema.parse({ postBackup: [{ http }, { http, when: 'OnFailure' }] });
const task = { action: 'backup', namespace: 'shop', method: 'Logical', type: 'Full', hooks } as BackupTask;
const report = (outcome: 'Succeeded' | 'Failed' | 'Running') => ({ outcome, reason: 'Told', message: '' });
const run = { name: 'orders-1', uid: 'u-1' };

describe('an attempt that follows one which', () => {
  test('has told of a stored backup makes no second one, and runs the hooks that remain', () => {
    const rest = restAfterSuccess(task, { ...run, status: { report: report('Succeeded') } });
    expect(rest).toMatchObject({ action: 'hooks', phase: 'Completed', run, outstanding: ['postBackup[0]'] });
  });

  test.each(['Failed', 'Running'] as const)('has told of %s makes a backup', (outcome) => {
    expect(restAfterSuccess(task, { ...run, status: { report: report(outcome) } })).toBeUndefined();
  });

  test('has told nothing, or is not known, makes a backup', () => {
    expect(restAfterSuccess(task, run)).toBeUndefined();
    expect(restAfterSuccess(task, { name: 'orders-1', status: { report: report('Succeeded') } })).toBeUndefined();
  });

  test('had no hooks does as it always did', () => {
    const { hooks: _, ...bare } = task;
    expect(restAfterSuccess(bare, { ...run, status: { report: report('Succeeded') } })).toBeUndefined();
  });
});
