import { describe, expect, test } from 'vitest';
import type { AgentReport } from '../../../src/api/report.ts';
import { fateOf, type JobView, type PodView } from '../../../src/domain/job-state.ts';

const at = '2026-03-10T12:00:00Z';
const startTime = '2026-03-10T11:00:00Z';
const said = (outcome: AgentReport['outcome'], reason = 'Told', message = 'as told'): AgentReport => ({
  outcome,
  reason,
  message,
});
const succeeded = said('Succeeded', 'BackupStored', 'all of it');
const failed = said('Failed', 'WrongPassword', 'the password is wrong');
const stopped = said('Cancelled', 'Cancelled', 'told to stop');
const atWork = said('Running', 'Running', 'at work');
const pod = (name: string, parts: Partial<PodView> = {}): PodView => ({
  name,
  phase: 'Failed',
  createdAt: `2026-03-10T11:0${name.at(-1)}:00Z`,
  ...parts,
});
const complete: JobView = { finished: { outcome: 'Complete', reason: '', message: '', time: at }, pods: [] };
const failing = (pods: readonly PodView[] = [], reason = 'BackoffLimitExceeded'): JobView => ({
  finished: { outcome: 'Failed', reason, message: 'Job has reached the specified backoff limit', time: at },
  pods,
});
const active = (...pods: readonly PodView[]): JobView => ({ startTime, pods });

describe('without its Job', () => {
  test.each([
    ['a success is believed', succeeded, false, 'Completed', 'BackupStored'],
    ['a success is believed, cancelled or not', succeeded, true, 'Completed', 'BackupStored'],
    ['a failure is believed', failed, false, 'Failed', 'WrongPassword'],
    ['a cancelled one is cancelled, whatever failed', failed, true, 'Cancelled', 'Cancelled'],
    ['one that was stopped is cancelled', stopped, false, 'Cancelled', 'Cancelled'],
    ['one that was at work has failed', atWork, false, 'Failed', 'JobLost'],
    ['one that never spoke has failed', undefined, false, 'Failed', 'JobLost'],
    ['one that never spoke is cancelled if it was', undefined, true, 'Cancelled', 'Cancelled'],
  ])('%s', (_, report, cancelled, state, reason) => {
    expect(fateOf(undefined, report, cancelled)).toMatchObject({ state, reason });
  });
});

describe('of a Job that completed', () => {
  test.each([
    ['a success is one', succeeded, 'Completed', 'BackupStored'],
    ['silence is no success', undefined, 'Failed', 'NoReport'],
    ['neither is a last word of being at work', atWork, 'Failed', 'NoReport'],
    ['nor one of failure', failed, 'Failed', 'NoReport'],
  ])('%s', (_, report, state, reason) => {
    expect(fateOf(complete, report, false)).toMatchObject({ state, reason, at });
  });

  test('the kubelet’s last word counts where the status has none', () => {
    const job = { ...complete, pods: [pod('p1', { phase: 'Succeeded', termination: succeeded })] };
    expect(fateOf(job, undefined, false)).toMatchObject({ state: 'Completed', reason: 'BackupStored' });
    expect(fateOf(job, atWork, false)).toMatchObject({ state: 'Completed', reason: 'BackupStored' });
  });
});

describe('of a Job that failed', () => {
  const oom = pod('p2', { exit: { code: 137, reason: 'OOMKilled' } });
  test.each([
    ['what was stored is stored', failing(), succeeded, false, 'Completed', 'BackupStored'],
    ['the agent’s words explain it', failing(), failed, false, 'Failed', 'WrongPassword'],
    ['a cancelled one is cancelled', failing(), failed, true, 'Cancelled', 'Cancelled'],
    ['the deadline explains it', failing([], 'DeadlineExceeded'), atWork, false, 'Failed', 'DeadlineExceeded'],
    [
      'the deadline counts before all but success',
      failing([], 'DeadlineExceeded'),
      failed,
      true,
      'Failed',
      'DeadlineExceeded',
    ],
    ['nobody cancelled it: it was stopped', failing(), stopped, false, 'Failed', 'Stopped'],
    ['the kubelet says that memory ran out', failing([oom]), atWork, false, 'Failed', 'OutOfMemory'],
    ['the Job’s own reason is left', failing([]), undefined, false, 'Failed', 'BackoffLimitExceeded'],
    ['the Job may have no reason', failing([], ''), undefined, false, 'Failed', 'JobFailed'],
  ])('%s', (_, job, report, cancelled, state, reason) => {
    expect(fateOf(job, report, cancelled)).toMatchObject({ state, reason, at });
  });

  test('says why the pod did not start when the deadline passed', () => {
    const trouble = { reason: 'ImagePullBackOff', message: 'there is no such image' };
    const fate = fateOf(failing([pod('p1', { trouble })], 'DeadlineExceeded'), undefined, false);
    expect(fate.message).toContain('there is no such image');
  });

  test('says with which code a silent agent ended', () => {
    const job = failing([pod('p1', { exit: { code: 139, reason: 'Error' } })]);
    expect(fateOf(job, atWork, false).message).toContain('exit code 139 (Error)');
  });

  test('is not explained by what an earlier try said', () => {
    const job = failing([oom, pod('p1', { termination: failed })]);
    expect(fateOf(job, atWork, false)).toMatchObject({ reason: 'OutOfMemory' });
  });
});

describe('of a Job at work', () => {
  const trouble = { reason: 'VolumeMissing', message: 'there is no claim' };
  test.each([
    ['is starting without a pod', active(), undefined, 'Pending', 'Starting'],
    ['is starting with one', active(pod('p1', { phase: 'Pending' })), undefined, 'Pending', 'Starting'],
    [
      'waits for what its pod waits for',
      active(pod('p1', { phase: 'Pending', trouble })),
      undefined,
      'Pending',
      'VolumeMissing',
    ],
    ['runs with its pod', active(pod('p1', { phase: 'Running' })), atWork, 'Running', 'Running'],
    [
      'runs with its pod, whatever a try before said',
      active(pod('p1'), pod('p2', { phase: 'Running' })),
      failed,
      'Running',
      'Running',
    ],
    ['is being closed', active(pod('p1', { phase: 'Succeeded' })), succeeded, 'Running', 'Finishing'],
    ['is tried again after a failure', active(pod('p1')), failed, 'Running', 'Retrying'],
    ['is tried again after an eviction', active(pod('p1')), stopped, 'Running', 'Retrying'],
    ['is tried again after a silent end', active(pod('p1')), atWork, 'Running', 'Retrying'],
    [
      'is tried again by a pod that is starting',
      active(pod('p1'), pod('p2', { phase: 'Pending' })),
      atWork,
      'Running',
      'Retrying',
    ],
  ])('%s', (_, job, report, state, reason) => {
    expect(fateOf(job, report, false)).toMatchObject({ state, reason });
  });

  test('tells since when it runs, and how the try before ended', () => {
    expect(fateOf(active(pod('p1', { phase: 'Running' })), atWork, false)).toMatchObject({ since: startTime });
    const silent = pod('p1', { exit: { code: 137, reason: 'OOMKilled' } });
    expect(fateOf(active(silent), atWork, false).message).toContain('exit code 137 (OOMKilled)');
    expect(fateOf(active(pod('p1', { termination: failed })), atWork, false).message).toContain(failed.message);
    expect(fateOf(active(pod('p1')), atWork, false).message).toContain('pod p1 failed');
  });
});
