import { jobTemplate } from '../../api/job-template.ts';
import type { RestoreRequest } from '../../api/kinds.ts';
import { type Fate, fateOf } from '../../domain/job-state.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels, runningJobFinalizer } from '../../domain/labels.ts';
import { jobName } from '../../domain/naming.ts';
import { missingForRestore, notImplementedMessage } from '../../domain/not-implemented.ts';
import type { RestoreTask } from '../../domain/task.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import { isList } from '../backup-task.ts';
import { type AgentSettings, buildJob, ownerOf } from '../jobs/build-job.ts';
import type { Created } from '../jobs/create-job.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import { eventsOf, hasEnded, type RunStatus, refusedFate, statusOf } from '../run-progress.ts';
import { type Scratch, scratchDataDirectory, withScratchServer } from './scratch.ts';
import type { RestoreSource } from './source.ts';

export interface Gathered {
  readonly request: RestoreRequest;
  readonly source: RestoreSource | Refusal;
  readonly hosts: readonly string[] | Refusal;
  /** Only where it is restored into a server of its own. */
  readonly scratch?: Scratch | Refusal | undefined;
  /** What is to be said of a backup that `latest` means. */
  readonly word?: string;
  readonly account: Refusal | undefined;
  readonly job: FoundJob | undefined;
  readonly jobExists: boolean;
  readonly activePods: readonly Pod[];
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface Decision {
  readonly finalizers: readonly string[];
  readonly create: Desired | undefined;
  readonly removeJob: boolean;
  readonly status: RunStatus | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** What becomes of a restore; pure. It is done at most once: a Job that was made is never made again. */
export function decide(gathered: Gathered): Decision {
  const { request, job, activePods, now } = gathered;
  if (request.metadata.deletionTimestamp !== undefined) return decideDeletion(gathered);
  if (hasEnded(request)) return { ...nothing, finalizers: finalizersOf(request, false) };
  const done = request.status?.report?.outcome === 'Succeeded' || job?.view.finished !== undefined;
  if (request.spec.cancel && !done) {
    if (job !== undefined) return { ...next(gathered, cancelling), removeJob: true };
    if (gathered.jobExists) return next(gathered, cancelling, 2_000);
    if (activePods.length > 0) return next(gathered, cancelling);
    return next(gathered, {
      state: 'Cancelled',
      reason: 'Cancelled',
      message: 'It was cancelled; what it had created was removed again where that was possible',
    });
  }
  if (job !== undefined) return next(gathered, fateOf(job.view, request.status?.report, request.spec.cancel));
  if (request.status?.jobName !== undefined || request.status?.report !== undefined) {
    if (gathered.jobExists || activePods.length > 0) return next(gathered, unseen(request), 2_000);
    return next(gathered, fateOf(undefined, request.status.report, request.spec.cancel));
  }
  const made = makeJob(gathered);
  if (isRefusal(made)) return next(gathered, refusedFate(made, request, now), made.mayCome ? 5_000 : undefined);
  const decision = next(gathered, starting, undefined, restoreJobName(request));
  return { ...decision, create: made, events: [...decision.events, ...passedOver(gathered)] };
}

/** What becomes of a restore whose Job was not made after all. */
export function decideUnmade(gathered: Gathered, why: Exclude<Created, 'made'> | Refusal): Decision {
  if (why === 'waiting') return next(gathered, waiting, 2_000);
  return next(gathered, refusedFate(why, gathered.request, gathered.now), why.mayCome ? 5_000 : undefined);
}

export function restoreJobName({ metadata }: Pick<RestoreRequest, 'metadata'>): string {
  return jobName('restore', metadata.name);
}

const nothing = {
  finalizers: [],
  create: undefined,
  removeJob: false,
  status: undefined,
  events: [],
  lookAgainMilliseconds: undefined,
};
const cancelling: Fate = {
  state: 'Running',
  reason: 'Cancelling',
  message: 'It is being cancelled: the agent ends and takes back what it can',
};
const starting: Fate = { state: 'Pending', reason: 'Starting', message: 'Its Job is being made' };
const waiting: Fate = {
  state: 'Pending',
  reason: 'Starting',
  message: 'The Job of an earlier RestoreRequest of its name is being removed',
};

/** The Job is there, and its news is on its way: until then all is as it was. */
function unseen({ status }: RestoreRequest): Fate {
  return status?.phase === 'Running'
    ? { state: 'Running', reason: 'Running', message: 'The agent is at work' }
    : starting;
}

function decideDeletion({ request, job, activePods }: Gathered): Decision {
  const present = request.metadata.finalizers ?? [];
  if (job !== undefined && job.view.finished === undefined) return { ...nothing, finalizers: present, removeJob: true };
  return { ...nothing, finalizers: activePods.length > 0 ? present : finalizersOf(request, false) };
}

function next({ request, job, now }: Gathered, fate: Fate, lookAgainMilliseconds?: number, made?: string): Decision {
  const knownJob = job === undefined ? (made ?? request.status?.jobName) : restoreJobName(request);
  const status = statusOf(request, fate, knownJob, now);
  const active = fate.state === 'Pending' || fate.state === 'Running';
  return {
    ...nothing,
    finalizers: finalizersOf(request, active),
    status,
    events: eventsOf(request, status, 'Restore'),
    lookAgainMilliseconds,
  };
}

function finalizersOf({ metadata }: RestoreRequest, active: boolean): readonly string[] {
  const foreign = (metadata.finalizers ?? []).filter((name) => name !== runningJobFinalizer);
  return active ? [...foreign, runningJobFinalizer] : foreign;
}

function passedOver({ word = '' }: Gathered): readonly EventNote[] {
  if (word === '') return [];
  return [{ type: 'Warning', reason: 'FailedVerification', action: 'Restore', note: `source.latest${word}` }];
}

function makeJob({ request, source, hosts, scratch, account, agent }: Gathered): Desired | Refusal {
  const absent = missingForRestore(request.spec);
  if (absent.length > 0) return refused('NotImplemented', notImplementedMessage(absent));
  if (isRefusal(source)) return source;
  if (!isList(hosts)) return hosts;
  if (scratch !== undefined && isRefusal(scratch)) return scratch;
  if (account !== undefined) return account;
  const job = buildJob({
    task: taskOf(request, source, hosts),
    template: scratch === undefined ? jobTemplate.parse({}) : { ...scratch.template, activeDeadlineSeconds: 86_400 },
    agent,
    runName: request.metadata.name,
    labels: { [labels.restore]: labelValue(request.metadata.name) },
    // A restore is never repeated by itself: a person looks at what the first try left.
    backoffLimit: 0,
    // With it goes the volume of a server that nobody keeps.
    ttlSecondsAfterFinished: scratch === undefined ? 7 * 86_400 : 600,
  });
  if (isRefusal(job)) return job;
  const { metadata, spec } = scratch === undefined ? job : withScratchServer(job, scratch);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: restoreJobName(request),
      namespace: request.metadata.namespace,
      ...metadata,
      ownerReferences: [ownerOf(request)],
    },
    spec,
  };
}

function taskOf(
  { metadata, spec }: RestoreRequest,
  { repository, others, backup, partial = false }: RestoreSource,
  hosts: readonly string[],
): RestoreTask {
  const { databases, globals, jobs, noOwner, noPrivileges, role, exitOnError, assertions, dryRun, target } = spec;
  const { checks } = spec;
  const into = target.server === undefined ? intoScratch : serverTask(target.server, hosts);
  return {
    action: 'restore',
    namespace: metadata.namespace,
    request: { name: metadata.name, uid: metadata.uid },
    repository,
    ...(others === undefined ? {} : { others: [...others] }),
    backup,
    server: into,
    ...(target.server !== undefined
      ? {}
      : { ephemeral: { dataDirectory: scratchDataDirectory, ...(checks === undefined ? {} : { checks }) } }),
    ...(metadata.labels?.[labels.verification] === undefined ? {} : { verdict: { partial } }),
    restore: { databases, globals, jobs, noOwner, noPrivileges, role, exitOnError, assertions, dryRun },
  };
}

type Server = NonNullable<RestoreRequest['spec']['target']['server']>;

function serverTask(server: Server, hosts: readonly string[]): RestoreTask['server'] {
  return {
    hosts: [...hosts],
    port: server.port,
    database: server.database,
    role: 'Primary',
    ...(server.tls === undefined ? {} : { tls: server.tls }),
    credentialsSecretName: server.credentialsSecretRef.name,
  };
}

/** The agent makes that server, and knows the way to it. */
const intoScratch: RestoreTask['server'] = {
  hosts: ['scratch'],
  port: 5432,
  database: 'template1',
  role: 'Primary',
  credentialsSecretName: '',
};
