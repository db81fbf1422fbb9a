import { expect, test } from 'vitest';
import { statusOf } from '../../../../src/controllers/run-progress.ts';
import type { Fate } from '../../../../src/domain/job-state.ts';
import { condition, now, run } from '../objects.ts';

const says = "The agent's container does not start: Back-off pulling image";
const pulling = run({ status: { conditions: [condition('Succeeded', 'Unknown', 'ImagePullBackOff', says)] } });
const late: Fate = { state: 'Failed', reason: 'DeadlineExceeded', message: 'It did not end in time.' };

test('an image that was never pulled is named though the pod has gone before the Job has failed', () => {
  const gone: Fate = {
    state: 'Running',
    reason: 'Retrying',
    message: 'pod x ended with exit code 137 (ContainerStatusUnknown)',
  };
  const between = statusOf(pulling, gone, 'x', now);
  expect(between).toMatchObject({
    phase: 'Pending',
    conditions: [{ reason: 'ImagePullBackOff', message: says }, { type: 'Reconciling' }],
  });
  const after = statusOf(run({ status: { conditions: between.conditions } }), late, 'x', now);
  expect(after).toMatchObject({ phase: 'Failed', error: `It did not end in time. Its pod did not start: ${says}` });
});

test('a deadline is explained by nothing that has passed', () => {
  const running = run({ status: { conditions: [condition('Succeeded', 'Unknown', 'Running', 'at work')] } });
  expect(statusOf(running, late, 'x', now).error).toBe('It did not end in time.');
  const retried: Fate = { state: 'Running', reason: 'Retrying', message: 'pod x ended with exit code 1 (Error)' };
  expect(statusOf(pulling, retried, 'x', now).conditions).toMatchObject([
    { reason: 'Retrying' },
    { type: 'Reconciling' },
  ]);
});
