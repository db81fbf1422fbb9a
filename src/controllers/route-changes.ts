import { isDeepStrictEqual } from 'node:util';
import type { BackupRun, PitrRecovery } from '../api/kinds.ts';
import { labels } from '../domain/labels.ts';
import { keyOf } from '../kube/cache.ts';
import type { KubeObject } from '../kube/client.ts';
import { jobNameLabel } from '../kube/workloads.ts';
import { type Caches, indexes } from './context.ts';

export type Key = `${string}/${string}`;

export interface Queues {
  readonly policies: Queue;
  readonly runs: Queue;
  readonly restores: Queue;
  readonly recoveries: Queue;
  readonly repositories: Queue;
  /** Scheduled Jobs that may have no BackupRun yet. */
  readonly jobs: Queue;
}

interface Queue {
  add(key: Key): void;
}

/** Whose reconcile a change is a reason for: the object itself, and those that depend on it. */
export function routeChanges(caches: Caches, queues: Queues): void {
  caches.policies.onChange((before, after) => {
    each(before, after, (key) => queues.policies.add(key));
    for (const run of dependents(before, after, (key) => caches.runs.byIndex(indexes.policy, key)))
      queues.runs.add(run);
  });
  caches.runs.onChange((before, after) => {
    each(before, after, (key) => queues.runs.add(key));
    const run = after ?? before;
    if (run === undefined) return;
    // An agent writes its progress every few seconds; that is a matter of the run alone.
    if (saysTheSame(before, after)) return;
    const policy = `${run.metadata.namespace}/${run.spec?.policyRef?.name}`;
    queues.policies.add(policy as Key);
    // Who waits for this one in the queue of its policy may be next.
    if (before?.status?.phase !== after?.status?.phase)
      for (const other of caches.runs.byIndex(indexes.policy, policy)) queues.runs.add(keyOf(other) as Key);
    for (const { name } of run.status?.repositories ?? []) queues.repositories.add(`${run.metadata.namespace}/${name}`);
  });
  caches.restores.onChange((before, after) => {
    each(before, after, (key) => queues.restores.add(key));
    for (const policy of verified(before, after)) queues.policies.add(policy);
  });
  caches.recoveries.onChange((before, after) => {
    each(before, after, (key) => queues.recoveries.add(key));
    for (const restore of owners(before, after, 'RestoreRequest')) queues.restores.add(restore);
    for (const policy of [...verified(before, after), ...drilled(before, after)]) queues.policies.add(policy);
  });
  caches.repositories.onChange((before, after) => {
    each(before, after, (key) => queues.repositories.add(key));
    for (const policy of dependents(before, after, (key) => caches.policies.byIndex(indexes.repository, key)))
      queues.policies.add(policy);
  });
  caches.cronJobs.onChange((before, after) => {
    for (const policy of owners(before, after, 'BackupPolicy')) queues.policies.add(policy);
  });
  caches.jobs.onChange((before, after) => {
    each(before, after, (key) => queues.jobs.add(key));
    routeJob(before, after, queues);
  });
  caches.pods.onChange((before, after) => {
    const pod = after ?? before;
    const job = pod?.metadata.labels?.[jobNameLabel];
    const namespace = pod?.metadata.namespace;
    if (job === undefined || namespace === undefined) return;
    const known = caches.jobs.get(namespace, job);
    if (known !== undefined) routeJob(undefined, known, queues);
    else routeByLabels(pod?.metadata.labels ?? {}, `${namespace}/${job}`, queues);
  });
}

type Told = KubeObject & { readonly status?: { readonly phase?: string | undefined } };

/** The policies whose verification has come, gone, or gone a step further; its progress is a matter of its own. */
function verified(before: Told | undefined, after: Told | undefined): readonly Key[] {
  return before?.status?.phase === after?.status?.phase && before !== undefined && after !== undefined
    ? []
    : owners(before, after, 'BackupPolicy');
}

/** The policies in whose history a recovery may have to be written. */
function drilled(before: PitrRecovery | undefined, after: PitrRecovery | undefined): readonly Key[] {
  if (after === undefined || before?.status?.phase === after.status?.phase) return [];
  const { policyRef, repository } = after.spec?.source ?? {};
  const name = policyRef?.name ?? repository?.policy;
  return name === undefined ? [] : [`${after.metadata.namespace}/${name}`];
}

/** Of what policies, repositories and waiting runs look at in a run, nothing has changed. */
function saysTheSame(before: BackupRun | undefined, after: BackupRun | undefined): boolean {
  const told = (run: BackupRun | undefined) => {
    const { phase, completionTime, server, error, conditions, repositories, jobName } = run?.status ?? {};
    const { deletionTimestamp } = run?.metadata ?? {};
    return [run?.spec, deletionTimestamp, phase, completionTime, server, error, conditions, repositories, jobName];
  };
  return before !== undefined && after !== undefined && isDeepStrictEqual(told(before), told(after));
}

function routeJob(before: KubeObject | undefined, after: KubeObject | undefined, queues: Queues): void {
  const object = after ?? before;
  if (object === undefined) return;
  for (const run of owners(before, after, 'BackupRun')) queues.runs.add(run);
  for (const restore of owners(before, after, 'RestoreRequest')) queues.restores.add(restore);
  for (const recovery of owners(before, after, 'PitrRecovery')) queues.recoveries.add(recovery);
  for (const repository of owners(before, after, 'BackupRepository')) queues.repositories.add(repository);
  for (const policy of owners(before, after, 'BackupPolicy')) queues.policies.add(policy);
  // A schedule's run has its Job's name.
  if (owners(before, after, 'CronJob').length > 0) queues.runs.add(keyOf(object) as Key);
}

/** A pod whose Job is gone: what it belonged to stands in its labels, shortened where the name was long. */
function routeByLabels(own: Readonly<Record<string, string>>, job: string, queues: Queues): void {
  const [namespace] = job.split('/');
  queues.runs.add(job as Key);
  if (own[labels.run] !== undefined) queues.runs.add(`${namespace}/${own[labels.run]}` as Key);
  if (own[labels.restore] !== undefined) queues.restores.add(`${namespace}/${own[labels.restore]}` as Key);
  if (own[labels.recovery] !== undefined) queues.recoveries.add(`${namespace}/${own[labels.recovery]}` as Key);
}

function each(before: KubeObject | undefined, after: KubeObject | undefined, add: (key: Key) => void): void {
  const object = after ?? before;
  if (object !== undefined) add(keyOf(object) as Key);
}

function dependents(
  before: KubeObject | undefined,
  after: KubeObject | undefined,
  find: (key: string) => readonly KubeObject[],
): readonly Key[] {
  const object = after ?? before;
  return object === undefined ? [] : find(keyOf(object)).map((found) => keyOf(found) as Key);
}

function owners(before: KubeObject | undefined, after: KubeObject | undefined, kind: string): readonly Key[] {
  const metadata = (after ?? before)?.metadata;
  const references = (metadata?.ownerReferences ?? []) as readonly { readonly kind: string; readonly name: string }[];
  return references.filter((owner) => owner.kind === kind).map(({ name }) => `${metadata?.namespace}/${name}` as Key);
}
