import { expect, test } from 'vitest';
import { isActive, viewJob } from '../../../../src/controllers/jobs/view-job.ts';
import { job, pod } from '../objects.ts';

const time = '2026-03-10T12:00:00Z';
const agentStatus = (state: object) => ({ containerStatuses: [{ name: 'agent', state }] });
const viewPod = (status: Readonly<Record<string, unknown>>) => viewJob(job('x'), [pod('p', { status })]).pods[0];
const exited = (message: string) => viewPod(agentStatus({ terminated: { exitCode: 3, reason: 'Error', message } }));

test.each(['Complete', 'Failed'] as const)('a Job with the condition %s has ended', (type) => {
  const conditions = [
    { type: 'FailureTarget', status: 'True' },
    { type, status: 'True', reason: 'R', message: 'm', lastTransitionTime: time },
  ];
  const view = viewJob({ ...job('x'), status: { conditions, startTime: time } }, []);
  expect(view).toEqual({ finished: { outcome: type, reason: 'R', message: 'm', time }, startTime: time, pods: [] });
});

test('a condition that does not hold is none', () => {
  const view = viewJob({ ...job('x'), status: { conditions: [{ type: 'Failed', status: 'False' }] } }, []);
  expect(view.finished).toBeUndefined();
});

test('an image that cannot be pulled is a trouble, the making of a container is none', () => {
  expect(viewPod(agentStatus({ waiting: { reason: 'ImagePullBackOff', message: 'no such image' } }))?.trouble).toEqual({
    reason: 'ImagePullBackOff',
    message: "The agent's container does not start: no such image",
  });
  expect(viewPod(agentStatus({ waiting: { reason: 'ContainerCreating' } }))?.trouble).toBeUndefined();
});

test('a pod that is being removed is known as such: its containers look then as if they were being made', () => {
  const made = pod('p', { status: agentStatus({ waiting: { reason: 'ContainerCreating' } }) });
  const removed = { ...made, metadata: { ...made.metadata, deletionTimestamp: time } };
  expect(viewJob(job('x'), [made, removed]).pods.map(({ leaving }) => leaving)).toEqual([undefined, true]);
});

test('a pod that no node takes is a trouble, a missing claim has a name', () => {
  const unschedulable = (message: string) =>
    viewPod({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] })?.trouble;
  expect(unschedulable('0/3 nodes are available: 3 Insufficient memory')).toEqual({
    reason: 'Unschedulable',
    message: 'No node takes the pod: 0/3 nodes are available: 3 Insufficient memory',
  });
  expect(unschedulable('0/3 nodes: persistentvolumeclaim "backups" not found')?.reason).toBe('VolumeMissing');
});

test('the last word is read as the agent writes it, plain or in a report; a crash’s last lines are none', () => {
  const word = { outcome: 'Failed', reason: 'WrongPassword', message: 'wrong' };
  expect(exited(JSON.stringify(word))?.termination).toEqual(word);
  expect(exited(JSON.stringify({ report: word, backupID: 'b' }))?.termination).toEqual(word);
  expect(exited('panic: out of cheese')?.termination).toBeUndefined();
  expect(exited('{"outcome":"Maybe"}')).toEqual({
    name: 'p',
    phase: 'Running',
    createdAt: '2026-03-10T11:59:30Z',
    exit: { code: 3, reason: 'Error' },
  });
});

test.each([
  ['Pending', true],
  ['Running', true],
  ['Unknown', true],
  ['Succeeded', false],
  ['Failed', false],
])('a pod that is %s has something to do: %s', (phase, active) => {
  expect(isActive(pod('p', { status: { phase } }))).toBe(active);
});
