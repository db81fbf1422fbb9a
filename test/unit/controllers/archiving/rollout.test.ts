import { describe, expect, test } from 'vitest';
import { rolloutOf } from '../../../../src/controllers/archiving/rollout.ts';
import { workload } from './things.ts';

const rolling = { currentRevision: 'a', updateRevision: 'b', updatedReplicas: 0, readyReplicas: 1 };

describe('a rollout is done', () => {
  test.each([
    ['a StatefulSet whose pods are all of the newest revision', workload()],
    ['a StatefulSet whose update counts them', workload({ status: { ...rolling, updatedReplicas: 1 } })],
    ['a Deployment', workload({ kind: 'Deployment' })],
    ['a workload that is scaled to nothing', workload({ spec: { replicas: 0 }, status: { readyReplicas: 0 } })],
  ])('for %s', (_, of) => {
    expect(rolloutOf(of).state).toBe('Done');
  });
});

describe('a rollout is under way', () => {
  test.each([
    ['the controller has not seen the change', workload({ status: { observedGeneration: 1 } })],
    ['old pods are there', workload({ status: rolling })],
    ['the new pod is not ready', workload({ status: { readyReplicas: 0 } })],
    ['a Deployment has old pods', workload({ kind: 'Deployment', status: { updatedReplicas: 0 } })],
  ])('while %s', (_, of) => {
    expect(rolloutOf(of)).toMatchObject({ state: 'UnderWay', reason: 'Restarting' });
  });
});

describe('a rollout waits for a person, who is told what to do', () => {
  test.each([
    [
      'OnDelete',
      workload({ spec: { updateStrategy: { type: 'OnDelete' } }, status: rolling }),
      'delete pod orders-db-0',
    ],
    [
      'a partition',
      workload({ spec: { updateStrategy: { rollingUpdate: { partition: 1 } } }, status: rolling }),
      'partition 1',
    ],
    [
      'a paused Deployment',
      workload({ kind: 'Deployment', spec: { paused: true }, status: { updatedReplicas: 0 } }),
      'rollout resume deployment orders-db',
    ],
  ])('with %s', (_, of, words) => {
    const { state, reason, message } = rolloutOf(of);
    expect({ state, reason }).toEqual({ state: 'Waiting', reason: 'RestartNeeded' });
    expect(message).toContain(words);
  });
});
