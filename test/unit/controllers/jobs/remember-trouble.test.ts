import { expect, test } from 'vitest';
import { statusOf } from '../../../../src/controllers/run-progress.ts';
import { type Fate, fateOf, type PodView } from '../../../../src/domain/job-state.ts';
import { condition, now, run } from '../objects.ts';

const says = "The agent's container does not start: Back-off pulling image";
const pulling = run({ status: { conditions: [condition('Succeeded', 'Unknown', 'ImagePullBackOff', says)] } });
const late: Fate = { state: 'Failed', reason: 'DeadlineExceeded', message: 'It did not end in time.' };

const dead: PodView = { name: 'x', phase: 'Failed', createdAt: now.toISOString() };
const ends: readonly [string, readonly PodView[]][] = [
  ['that is being removed', [{ ...dead, phase: 'Pending', leaving: true }]],
  ['of which nobody knows how it ended', [{ ...dead, exit: { code: 137, reason: 'ContainerStatusUnknown' } }]],
  ['that has failed without a word', [dead]],
  ['that has gone', []],
];

test.each(ends)('an image that was never pulled is named though the Job still runs, with a pod %s', (_, pods) => {
  const between = statusOf(pulling, fateOf({ pods }, undefined, false), 'x', now);
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
