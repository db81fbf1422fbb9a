import { decide as decidePolicy, type Gathered as OfPolicy } from '../../../src/controllers/backup-policy/decide.ts';
import {
  decide as decideRepository,
  type Gathered as OfRepository,
} from '../../../src/controllers/backup-repository/decide.ts';
import { expiredStatus } from '../../../src/controllers/backup-run/expired.ts';
import { recoveryStatus } from '../../../src/controllers/pitr-recovery/progress.ts';
import { refused } from '../../../src/controllers/refusal.ts';
import { statusOf } from '../../../src/controllers/run-progress.ts';
import type { Fate } from '../../../src/domain/job-state.ts';
import type { Read } from '../../support/gitops/health.ts';
import { agent, condition, now, policy, ready, recovery, repository, restore, run } from '../controllers/objects.ts';

/** An object as our own controllers leave it, and what tools must make of it. */
export interface Case {
  readonly what: string;
  readonly object: Read;
  readonly kstatus: 'InProgress' | 'Failed' | 'Current' | 'Terminating';
  readonly argo: 'Progressing' | 'Healthy' | 'Degraded' | 'Suspended';
}

type Verdict = Pick<Case, 'kstatus' | 'argo'>;
type Stored = ReturnType<typeof policy | typeof repository | typeof run | typeof restore | typeof recovery>;

const underWay: Verdict = { kstatus: 'InProgress', argo: 'Progressing' };
const done: Verdict = { kstatus: 'Current', argo: 'Healthy' };
const failed: Verdict = { kstatus: 'Failed', argo: 'Degraded' };

/** As kubectl reads it; what is undefined is not there. */
function read(object: object): Read {
  return JSON.parse(JSON.stringify(object)) as Read;
}

/** What the API server fills in where the operator has not looked yet. */
const unseen = { observedGeneration: -1 };

const objects: readonly Stored[] = [repository(), policy(), run(), restore(), recovery()];
const byAllKinds: readonly Case[] = objects.flatMap((object) => [
  { what: `${object.kind}, just made`, object: read({ ...object, status: unseen }), ...underWay },
  {
    what: `${object.kind}, being deleted`,
    object: read({ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-03-10T12:00:00Z' } }),
    kstatus: 'Terminating',
    argo: 'Progressing',
  },
]);

const fates: readonly (readonly [Fate, Verdict])[] = [
  [{ state: 'Pending', reason: 'Queued', message: 'It waits' }, underWay],
  [{ state: 'Running', reason: 'Running', message: 'The agent is at work' }, underWay],
  [{ state: 'Completed', reason: 'Told', message: 'as told' }, done],
  [{ state: 'Failed', reason: 'StoreFull', message: 'there is no room' }, failed],
  [{ state: 'Cancelled', reason: 'Cancelled', message: 'It was cancelled' }, failed],
];

const facts = { jobName: undefined, replicas: undefined, stage: 'Preparing' } as const;
const runs: readonly Case[] = fates.flatMap(([fate, verdict]) => [
  ...[run(), restore()].map((object) => ({
    what: `${object.kind}, ${fate.state}`,
    object: read({ ...object, status: statusOf(object, fate, undefined, now) }),
    ...verdict,
  })),
  {
    what: `PitrRecovery, ${fate.state}`,
    object: read({ ...recovery(), status: recoveryStatus(recovery(), fate, facts, now) }),
    ...verdict,
  },
]);

/** Whether it did what it was there for does not change because its backup has had its time. */
const expired: readonly Case[] = fates.slice(2, 4).map(([fate, verdict]) => {
  const ended = run({ status: { ...statusOf(run(), fate, undefined, now) } });
  return {
    what: `BackupRun, ${fate.state} and then Expired`,
    object: read({ ...ended, status: expiredStatus(ended, now) }),
    ...verdict,
  };
});

function policyCase(what: string, parts: Partial<OfPolicy>, verdict: Verdict): Case {
  const gathered = {
    ...{ policy: policy(), repositories: [repository({ status: ready })], hosts: ['db.example'], account: undefined },
    ...{ runs: [], cronJobs: [], archiving: { conditions: [], restorable: undefined }, agent, now },
    ...parts,
  };
  const { status } = decidePolicy(gathered);
  return { what: `BackupPolicy ${what}`, object: read({ ...gathered.policy, status }), ...verdict };
}

const archived = (status: 'True' | 'False' | 'Unknown', reason: string) => ({
  archiving: {
    conditions: [{ type: 'ContinuousArchiving', status, reason, message: 'of the archive' }],
    restorable: undefined,
  },
});
const unusable = repository({ status: { conditions: [condition('Ready', 'False', 'NoSuchBucket')] } });
const degraded: Verdict = { kstatus: 'InProgress', argo: 'Degraded' };

const policies: readonly Case[] = [
  policyCase('with its schedules', {}, done),
  policyCase(
    'that is suspended',
    { policy: policy({ spec: { suspend: true } }) },
    { kstatus: 'Current', argo: 'Suspended' },
  ),
  policyCase('whose repository was not probed', { repositories: [repository()] }, underWay),
  policyCase('whose repository cannot be used', { repositories: [unusable] }, degraded),
  policyCase('whose repository is not there yet', { repositories: [undefined] }, degraded),
  policyCase('whose account is not allowed', { account: refused('ServiceAccountNotAllowed', 'no') }, failed),
  policyCase('whose archive is being set up', archived('Unknown', 'SettingUp'), underWay),
  policyCase('whose archive does not follow', archived('False', 'ArchiveCommandFailed'), degraded),
];

function repositoryCase(what: string, parts: Partial<OfRepository>, verdict: Verdict): Case {
  const gathered = {
    ...{ repository: repository(), probeJob: undefined, account: undefined, runs: [], agent, now },
    ...parts,
  };
  const { status } = decideRepository(gathered);
  return { what: `BackupRepository ${what}`, object: read({ ...gathered.repository, status }), ...verdict };
}

const probed = (outcome: string) =>
  repository({ status: { probe: { generation: 1, outcome, reason: 'NoSuchBucket', message: 'told.', time: '' } } });

const repositories: readonly Case[] = [
  repositoryCase('that is being probed', {}, underWay),
  repositoryCase('that was probed', { repository: probed('Succeeded') }, done),
  repositoryCase('that cannot be used', { repository: probed('Failed') }, degraded),
];

export const cases: readonly Case[] = [...byAllKinds, ...runs, ...expired, ...policies, ...repositories];
