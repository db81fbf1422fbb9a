import { describe, expect, test } from 'vitest';
import { type Decision, decide, type Gathered } from '../../../../src/controllers/backup-repository/decide.ts';
import { refused } from '../../../../src/controllers/refusal.ts';
import { agent, condition, ended, foundJob, now, repository, run } from '../objects.ts';

function gathered(parts: Partial<Gathered> = {}): Gathered {
  return { repository: repository(), probeJob: undefined, account: undefined, runs: [], agent, now, ...parts };
}
const probe = (outcome: string, generation = 1) => ({
  probe: { generation, outcome, reason: 'NoSuchBucket', message: 'there is none.', time: '' },
});
const ready = ({ status }: Decision) => status.conditions?.[0];
const failedPod = (reason: string) => ({
  name: 'p',
  phase: 'Failed',
  createdAt: '',
  termination: { outcome: 'Failed', reason, message: 'told' } as const,
});

describe('Ready', () => {
  test.each<[string, Partial<Gathered>, string, string, boolean]>([
    ['before the probe', {}, 'Unknown', 'Probing', true],
    ['during the probe', { probeJob: foundJob('p') }, 'Unknown', 'Probing', false],
    [
      'after a probe that succeeded',
      { repository: repository({ status: probe('Succeeded') }) },
      'True',
      'ProbeSucceeded',
      false,
    ],
    [
      'after a probe that failed',
      { repository: repository({ status: probe('Failed') }) },
      'False',
      'NoSuchBucket',
      true,
    ],
    [
      'while a failed probe’s Job is kept',
      { repository: repository({ status: probe('Failed') }), probeJob: foundJob('p') },
      'False',
      'NoSuchBucket',
      false,
    ],
    [
      'after a change',
      { repository: repository({ metadata: { generation: 2 }, status: probe('Succeeded') }) },
      'Unknown',
      'Probing',
      true,
    ],
    [
      'after a Job that failed in silence',
      { probeJob: foundJob('p', { finished: ended('Failed') }) },
      'False',
      'ProbeFailed',
      false,
    ],
    [
      'after a Job whose pod said why',
      { probeJob: foundJob('p', { finished: ended('Failed'), pods: [failedPod('AccessDenied')] }) },
      'False',
      'AccessDenied',
      false,
    ],
    [
      'without its claim',
      {
        probeJob: foundJob('p', {
          pods: [{ name: 'p', phase: 'Pending', createdAt: '', trouble: { reason: 'VolumeMissing', message: 'no' } }],
        }),
      },
      'False',
      'VolumeMissing',
      false,
    ],
    [
      'without a node',
      {
        probeJob: foundJob('p', {
          pods: [{ name: 'p', phase: 'Pending', createdAt: '', trouble: { reason: 'Unschedulable', message: 'no' } }],
        }),
      },
      'Unknown',
      'Unschedulable',
      false,
    ],
    [
      'without an account',
      { account: refused('ServiceAccountNotAllowed', 'no') },
      'False',
      'ServiceAccountNotAllowed',
      false,
    ],
    ['where the probe’s Job is not taken', { rejection: refused('JobNameTaken', 'no') }, 'False', 'JobNameTaken', true],
  ])('%s', (_, parts, status, reason, probes) => {
    const decision = decide(gathered(parts));
    expect(ready(decision)).toMatchObject({ status, reason });
    expect(decision.create !== undefined).toBe(probes);
    expect(decision.events).toHaveLength(status === 'Unknown' ? 0 : 1);
  });

  test('is told once', () => {
    const status = { ...probe('Succeeded'), conditions: [condition('Ready', 'True', 'ProbeSucceeded')] };
    expect(decide(gathered({ repository: repository({ status }) })).events).toEqual([]);
  });
});

test('the probe is a Job of this generation that is tried once and then goes', () => {
  expect(decide(gathered()).create).toMatchObject({
    metadata: { name: 'probe-store-1', ownerReferences: [{ kind: 'BackupRepository', uid: 'uid-of-store' }] },
    spec: { backoffLimit: 0, ttlSecondsAfterFinished: 300, activeDeadlineSeconds: 300 },
  });
});

test('counts the completed backups that it holds', () => {
  const kept = (phase: string, name: string, state = 'Stored') =>
    run({ status: { phase, repositories: [{ name, state }] } });
  const runs = [
    kept('Completed', 'store'),
    kept('Completed', 'other'),
    kept('Failed', 'store'),
    kept('Completed', 'store', 'Failed'),
  ];
  expect(decide(gathered({ runs })).status.backups).toBe(1);
});

test('counts what the catalogue has counted, and what was stored since', () => {
  const catalogue = {
    startTime: '2026-03-10T11:00:00Z',
    deepTime: '2026-03-10T10:00:00Z',
    completionTime: '2026-03-10T11:00:09Z',
  };
  const kept = (completionTime: string) =>
    run({
      status: {
        phase: 'Completed',
        completionTime,
        size: { stored: '100' },
        repositories: [{ name: 'store', state: 'Stored' }],
      },
    });
  const runs = [kept('2026-03-10T09:00:00Z'), kept('2026-03-10T10:30:00Z'), kept('2026-03-10T11:30:00Z')];
  const status = { catalogue: { ...catalogue, backups: 7, storedBytes: '1000' } };
  expect(decide(gathered({ repository: repository({ status }), runs })).status).toMatchObject({
    backups: 8,
    storedBytes: '1200',
    lastSyncTime: '2026-03-10T11:00:09Z',
  });
});
