import type { BackupRepositoryStatus } from '../../api/backup-repository.ts';
import { jobTemplate } from '../../api/job-template.ts';
import type { BackupRepository, BackupRun } from '../../api/kinds.ts';
import { conditionsAfter, findCondition, type NewCondition } from '../../domain/conditions.ts';
import { withoutIdentity } from '../../domain/encryption.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import type { ProbeTask } from '../../domain/task.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import { type AgentSettings, buildJob, ownerOf } from '../jobs/build-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, type Refusal } from '../refusal.ts';

export interface Gathered {
  readonly repository: BackupRepository;
  readonly probeJob: FoundJob | undefined;
  readonly account: Refusal | undefined;
  /** Why the probe's Job could not be made. */
  readonly rejection?: Refusal | undefined;
  readonly runs: readonly BackupRun[];
  /** What the catalogue says of itself. */
  readonly synced?: NewCondition | undefined;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface Decision {
  readonly create: Desired | undefined;
  readonly status: BackupRepositoryStatus;
  readonly events: readonly EventNote[];
}

export const ownedStatus = ['observedGeneration', 'conditions', 'backups', 'storedBytes', 'lastSyncTime'] as const;

/** A failed probe's Job goes after this, and that makes the next one. */
const probeAgainSeconds = 300;

/** Whether backups can be kept there, by the agent's probe of this generation; pure. */
export function decide(gathered: Gathered): Decision {
  const { repository, runs, now } = gathered;
  const { generation } = repository.metadata;
  const ready = readiness(gathered);
  const probe = needsProbe(gathered) ? buildProbe(gathered) : undefined;
  const wanted = gathered.synced === undefined ? [ready] : [ready, gathered.synced];
  const conditions = conditionsAfter(repository.status?.conditions, wanted, generation, now);
  return {
    create: probe === undefined || isRefusal(probe) ? undefined : probe,
    status: { observedGeneration: generation, conditions: [...conditions], ...holdings(repository, runs) },
    events: eventsOf(repository, ready),
  };
}

/** Of the generation, so that a changed object is probed anew at once. */
export function probeJobName({ metadata }: Pick<BackupRepository, 'metadata'>): string {
  return jobName('probe', metadata.name, String(metadata.generation));
}

function readiness({ repository, probeJob, account, rejection }: Gathered): NewCondition {
  const type = 'Ready';
  if (account !== undefined) return { type, status: 'False', reason: account.reason, message: account.message };
  const probe = currentProbe(repository);
  if (probe?.outcome === 'Succeeded') return { type, status: 'True', reason: 'ProbeSucceeded', message: probe.message };
  if (probe !== undefined)
    return {
      type,
      status: 'False',
      reason: probe.reason,
      message: `${probe.message} It is probed again every ${probeAgainSeconds / 60} minutes.`,
    };
  if (rejection !== undefined) return { type, status: 'False', reason: rejection.reason, message: rejection.message };
  const end = probeJob?.view.finished;
  const said = probeJob?.view.pods.findLast((pod) => pod.termination !== undefined)?.termination;
  if (end?.outcome === 'Failed')
    return {
      type,
      status: 'False',
      reason: said?.reason ?? 'ProbeFailed',
      message: said?.message ?? `The probe's Job failed: ${end.message}. Look at the log of its pod.`,
    };
  const trouble = probeJob?.view.pods.find((pod) => pod.trouble !== undefined)?.trouble;
  // A missing claim is an answer; another trouble may pass.
  if (trouble !== undefined)
    return { type, status: trouble.reason === 'VolumeMissing' ? 'False' : 'Unknown', ...trouble };
  return { type, status: 'Unknown', reason: 'Probing', message: 'The repository is being probed' };
}

function needsProbe({ repository, probeJob, account }: Gathered): boolean {
  if (probeJob !== undefined || account !== undefined) return false;
  return currentProbe(repository)?.outcome !== 'Succeeded';
}

function currentProbe({ metadata, status }: BackupRepository) {
  return status?.probe?.generation === metadata.generation ? status.probe : undefined;
}

function buildProbe({ repository, agent }: Gathered): Desired | Refusal {
  const { metadata, spec } = repository;
  const task: ProbeTask = {
    action: 'probe',
    namespace: metadata.namespace,
    repositoryObject: { name: metadata.name, uid: metadata.uid, generation: metadata.generation },
    repository: { name: metadata.name, spec: withoutIdentity(spec) },
  };
  const template = { ...jobTemplate.parse({}), activeDeadlineSeconds: 300 };
  const own = { [labels.repository]: labelValue(metadata.name) };
  const job = buildJob({
    task,
    template,
    agent,
    runName: metadata.name,
    labels: own,
    backoffLimit: 0,
    ttlSecondsAfterFinished: probeAgainSeconds,
  });
  if (isRefusal(job)) return job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: probeJobName(repository),
      namespace: metadata.namespace,
      ...job.metadata,
      ownerReferences: [ownerOf(repository)],
    },
    spec: job.spec,
  };
}

/** Whether the agent's probe of this generation has succeeded. */
export function isProbed(repository: BackupRepository): boolean {
  return currentProbe(repository)?.outcome === 'Succeeded';
}

/** What the catalogue has counted, and what was stored since; before it was read, what the BackupRuns say. */
function holdings({ metadata, status }: BackupRepository, runs: readonly BackupRun[]) {
  const { backups = 0, storedBytes = '0', startTime = '', deepTime = '', completionTime } = status?.catalogue ?? {};
  const stored = runs.filter(
    (run) =>
      run.status?.phase === 'Completed' &&
      run.status.repositories?.some(({ name, state }) => name === metadata.name && state === 'Stored'),
  );
  const since = (time: string) => stored.filter((run) => (run.status?.completionTime ?? '') >= time);
  const bytes = since(deepTime).reduce((sum, run) => sum + Number(run.status?.size?.stored ?? 0), Number(storedBytes));
  return {
    backups: backups + since(startTime).length,
    storedBytes: String(bytes),
    ...(completionTime === undefined ? {} : { lastSyncTime: completionTime }),
  };
}

function eventsOf({ status }: BackupRepository, ready: NewCondition): readonly EventNote[] {
  const before = findCondition(status?.conditions, 'Ready');
  if (ready.status === 'Unknown' || (before?.status === ready.status && before.reason === ready.reason)) return [];
  return [
    {
      type: ready.status === 'True' ? 'Normal' : 'Warning',
      reason: ready.reason,
      action: 'Probe',
      note: ready.message,
    },
  ];
}
